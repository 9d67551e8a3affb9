# Writes design.json, from the folder of this file: R 4.2.2, survey 4.1-1, clubSandwich 0.5.8.
suppressMessages({library(survey); library(clubSandwich)})
num <- function(m) paste0("[", paste(sprintf("%.17g", as.vector(t(m))), collapse=","), "]")
items <- list()
add <- function(name, m) items[[name]] <<- m
df <- read.csv("data/simulated.csv")
df$stratum <- df$g %% 3
df$units <- c(9, 30, 14)[df$stratum + 1]  # in the population of the stratum
df$share <- df$w / 1.7
control <- glm.control(epsilon=1e-15, maxit=200)
designs <- list(
  rows = svydesign(id=~1, weights=~share, data=df),
  psu = svydesign(id=~g, weights=~share, data=df),
  strata = svydesign(id=~g, strata=~stratum, weights=~share, data=df, nest=TRUE),
  fpc = svydesign(id=~g, strata=~stratum, weights=~share, fpc=~units, data=df, nest=TRUE))
for (d in names(designs)) {
  fits <- list(gaussian = svyglm(yn ~ x + z, designs[[d]]),
    poisson = svyglm(yp ~ x + z, designs[[d]], family=quasipoisson(), control=control),
    logit = svyglm(yb ~ x + z, designs[[d]], family=quasibinomial(), control=control))
  for (f in names(fits)) { add(paste("survey", d, f), vcov(fits[[f]])); add(paste("df", d), degf(designs[[d]])) }
}
df$alone <- df$g == df$g[1]
for (how in c("certainty", "adjust")) {
  options(survey.lonely.psu=how)
  lonely <- svydesign(id=~g, strata=~alone, weights=~share, data=df, nest=TRUE)
  add(paste("survey", how, "poisson"), vcov(svyglm(yp ~ x + z, lonely, family=quasipoisson(), control=control)))
}
ols <- lm(yn ~ x + z, df)
add("clubSandwich CR0", vcovCR(ols, df$g, "CR0")); add("clubSandwich CR3", vcovCR(ols, df$g, "CR3"))
cat("{\n", file="design.json")
cat(paste(sapply(names(items), function(n) sprintf(' "%s": %s', n, num(items[[n]]))), collapse=",\n"), "\n}\n", file="design.json", append=TRUE)
