# Writes expected.json, from the folder of this file: R 4.2.2, VGAM 1.1-7, whose covariances are of the expected information.
suppressMessages(library(VGAM))
num <- function(m) paste0("[", paste(sprintf("%.17g", as.vector(t(m))), collapse=","), "]")
items <- list()
add <- function(name, fit, order) {
  items[[paste(name, "params")]] <<- coef(fit)[order]
  items[[paste(name, "loglike")]] <<- logLik(fit)
  items[[paste(name, "se")]] <<- sqrt(diag(vcov(fit)))[order]
}
df <- read.csv("data/simulated.csv")
df <- rbind(df, df, df)
df$y <- 2 * df$yp
df$y[seq(2, 180, 3)] <- rep(c(0, 4, 1, 0, 2, 1, 3, 0, 1, 7), 6)
df$grade <- ordered(cut(df$yn, c(-99, 0, 1, 99)))
add("negbin", vglm(y ~ x + z, negbinomial, df, epsilon=1e-13, maxit=300), c(1, 3, 4, 2))
add("genpoisson1", vglm(y ~ x + z, genpoisson1, df, epsilon=1e-13, maxit=300), c(1, 3, 4, 2))
add("genpoisson2", vglm(y ~ x + z, genpoisson2, df, epsilon=1e-13, maxit=300), c(1, 3, 4, 2))
add("zip", vglm(y ~ x + z, zipoisson, df, epsilon=1e-13, maxit=300), c(1, 3, 5, 2, 4, 6))
add("cumulative logit", vglm(grade ~ x + z, cumulative(link="logitlink", parallel=TRUE), df, epsilon=1e-13, maxit=300), 1:4)
add("cumulative probit", vglm(grade ~ x + z, cumulative(link="probitlink", parallel=TRUE), df, epsilon=1e-13, maxit=300), 1:4)
add("cumulative cloglog", vglm(grade ~ x + z, cumulative(link="clogloglink", parallel=TRUE), df, epsilon=1e-13, maxit=300), 1:4)
cat("{\n", file="expected.json")
cat(paste(sapply(names(items), function(n) sprintf(' "%s": %s', n, num(items[[n]]))), collapse=",\n"), "\n}\n", file="expected.json", append=TRUE)
