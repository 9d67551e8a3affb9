# R's answers to random problems: Rscript differential.R QUESTIONS ANSWERS, both JSON; see ../differential_r.py, which draws them.
suppressMessages({library(jsonlite); library(MASS); library(nnet); library(survival); library(pscl); library(ordinal); library(sandwich)})
options(warn = -1, contrasts = c("contr.treatment", "contr.treatment"))
invisible(Sys.setlocale("LC_COLLATE", "C"))
Q <- qnorm(0.975)
TIGHT <- glm.control(epsilon = 1e-14, maxit = 200)

number <- function(m) as.vector(t(as.matrix(m)))          # by rows, as numpy reads it
attempt <- function(f) tryCatch(f, error = function(e) NULL)  # what R has no answer to is left out

family_of <- function(q) switch(q$family,
  quasi = do.call(quasi, list(link = q$link, variance = q$variance)), get(q$family)(link = q$link))

# Fits: what each needs from a question, and the same again for a design Z and an offset, as a log-likelihood over the dispersion.
twice <- function(form, d, q) {                             # standard errors of glm are those of the step before the last
  fam <<- family_of(q)
  middle <<- rep(fam$linkfun(mean(d$y)), nrow(d))         # where R's own start is outside of the link's domain
  first <- tryCatch(glm(form, fam, d, weights = wt, control = TIGHT),
                    error = function(e) glm(form, fam, d, weights = wt, control = TIGHT, etastart = middle))
  begin <<- coef(first)
  glm(form, fam, d, weights = wt, control = TIGHT, start = begin)
}
FIT <- list(
  lm = function(form, d, q) lm(form, d, weights = wt),
  glm = twice,
  negbin = function(form, d, q) glm.nb(form, d, control = glm.control(epsilon = 1e-14, maxit = 500)),
  clm = function(form, d, q) clm(form, data = d, link = q$link, weights = wt, control = clm.control(gradTol = 1e-11, relTol = 1e-14, maxIter = 300)),
  multinom = function(form, d, q) polished(multinom(form, d, weights = wt, reltol = 1e-25, abstol = 1e-12, maxit = 5000, trace = FALSE, model = TRUE)),
  survreg = function(form, d, q) survreg(form, d, weights = wt, dist = q$family, control = survreg.control(rel.tolerance = 1e-13, maxiter = 200)),
  clogit = function(form, d, q) clogit(form, d, method = "exact", control = coxph.control(eps = 1e-14, iter.max = 100)),
  zeroinfl = function(form, d, q) zeroinfl(form, data = d, dist = q$family, link = q$link, weights = wt, control = zeroinfl.control(reltol = 1e-15, maxit = 50000)))
# nnet's BFGS stops up to 1e-4 standard errors from the maximum, and its vcov takes a pseudo-inverse whatever the units: Newton's
# method from there.
polished <- function(fit) {
  X <- model.matrix(fit); beta <- coef(fit); w <- fit$weights[, 1]; k <- ncol(X); J <- nrow(beta)
  Y <- outer(as.character(model.response(fit$model)), rownames(beta), "==")
  unit <- rep(sqrt(colSums(X^2)), J)
  for (step in 1:4) {
    P <- exp(X %*% t(beta)); P <- P / (1 + rowSums(P))
    H <- matrix(0, J * k, J * k)
    for (i in 1:J) for (j in 1:J)
      H[(i - 1) * k + 1:k, (j - 1) * k + 1:k] <- crossprod(X, w * P[, i] * ((i == j) - P[, j]) * X)
    V <- solve(H / outer(unit, unit)) / outer(unit, unit)
    beta <- beta + matrix(V %*% as.vector(crossprod(X, w * (Y - P))), J, byrow = TRUE)
  }
  fit$polished <- beta; fit$V <- V; fit$probabilities <- function(Z) { P <- exp(Z %*% t(beta)); cbind(1, P) / (1 + rowSums(P)) }
  fit$value <- -sum(w * log(rowSums(cbind(!rowSums(Y), Y) * fit$probabilities(X)))); fit$deviance <- 2 * fit$value; fit$AIC <- fit$deviance + 2 * fit$edf
  fit
}
REFIT <- list(
  glm = function(Z, off, d, q, fit) {
    found <- glm.fit(Z, fit$y, fit$prior.weights, offset = off, family = fit$family, control = TIGHT,
                     start = if (q$link %in% c("log", "logit")) NULL else lm.fit(Z, fit$linear.predictors - off)$coefficients)
    -found$deviance / 2 / summary(fit)$dispersion
  },
  negbin = function(Z, off, d, q, fit) logLik(glm.nb(d$y ~ Z - 1 + offset(off), control = glm.control(epsilon = 1e-13, maxit = 500))),
  clm = function(Z, off, d, q, fit) logLik(if (ncol(Z)) clm(d$y ~ Z + offset(off), link = q$link, weights = d$wt, control = clm.control(gradTol = 1e-10))
                                            else clm(d$y ~ offset(off), link = q$link, weights = d$wt, control = clm.control(gradTol = 1e-10))),
  survreg = function(Z, off, d, q, fit) logLik(survreg(Surv(d$time, d$event) ~ Z - 1 + offset(off), dist = q$family, weights = d$wt, control = survreg.control(rel.tolerance = 1e-13, maxiter = 200))),
  clogit = function(Z, off, d, q, fit) logLik(clogit(d$y ~ Z + strata(d$set) + offset(off), method = "exact", control = coxph.control(eps = 1e-14))))

# Limits of a profile: where twice the fall of the log-likelihood over the dispersion is the quantile's square. MASS reads them
# off a spline, to 4e-4 standard errors.
limits <- function(fit, d, q) {
  name <- q$profile
  se <- sqrt(vcov(fit)[name, name]); at <- coef(fit)[[name]]
  Z <- if (q$kind == "clogit") model.matrix(fit) else model.matrix(as.formula(q$terms_only), d)
  if (q$kind %in% c("clm", "clogit")) Z <- Z[, colnames(Z) != "(Intercept)", drop = FALSE]
  off <- if ("off" %in% q$rows) d$off else rep(0, nrow(d))
  others <- Z[, colnames(Z) != name, drop = FALSE]
  value <- function(b) as.numeric(REFIT[[q$kind]](others, off + b * Z[, name], d, q, fit))
  top <- if (q$kind == "glm") -fit$deviance / 2 / summary(fit)$dispersion else as.numeric(logLik(fit))
  root <- function(b) { fall <- 2 * (top - value(b)); sqrt(max(fall, 0)) - Q }
  sapply(c(-1, 1), function(side) {
    near <- at + side * 0.3 * Q * se; far <- at + side * 1.7 * Q * se
    for (i in 1:6) if (root(far) < 0) far <- far + side * se
    uniroot(root, sort(c(near, far)), tol = 1e-10 * se, maxiter = 200)$root
  })
}

# What every kind has
common <- function(fit, d, q) {
  out <- list(coef = as.list(coef_of(fit)), se = as.list(sqrt(diag(vcov_of(fit)))), loglik = as.numeric(logLik(fit)),
              df = attr(logLik(fit), "df"))
  if (!q$kind %in% c("clogit")) out$aic <- AIC(fit)
  out
}
coef_of <- function(fit) if (inherits(fit, "multinom")) flat(fit$polished) else coef(fit)
vcov_of <- function(fit) if (inherits(fit, "multinom")) { v <- fit$V; dimnames(v) <- list(names(coef_of(fit)), names(coef_of(fit))); v } else { v <- vcov(fit); if (inherits(fit, "clm")) v[names(coef(fit)), names(coef(fit))] else v }
flat <- function(m) setNames(as.vector(t(m)), as.vector(t(outer(rownames(m), colnames(m), paste, sep = ":"))))

hypotheses <- function(fit, d, q) {
  names <- names(coef(fit))
  R <- matrix(0, 2, length(names), dimnames = list(NULL, names))
  R[1, "x"] <- 1; R[1, "z"] <- -1; R[2, "z"] <- 1
  found <- car::linearHypothesis(fit, R[, , drop = FALSE], c(q$rhs[1], q$rhs[2]), test = if (q$kind == "lm") "F" else "Chisq")
  table <- as.data.frame(found)
  ratio <- car::deltaMethod(coef(fit)[c("x", "z")], "x / (1 + z^2)", vcov. = vcov(fit)[c("x", "z"), c("x", "z")])
  list(wald = table[2, if (q$kind == "lm") "F" else "Chisq"], wald_p = table[2, ncol(table)], delta = ratio[1, "Estimate"], delta_se = ratio[1, "SE"])
}

comparisons <- function(fit, small, q) switch(q$kind,
  lm = { a <- anova(small, fit); list(anova = a[2, "F"], anova_p = a[2, "Pr(>F)"]) },
  glm = { a <- anova(small, fit, test = "LRT"); r <- anova(small, fit, test = "Rao")
          gain <- 2 * as.numeric(logLik(fit) - logLik(small))
          exact <- q$family == "gaussian"                  # whose likelihood has a maximum over the dispersion too
          list(lr = if (exact) gain else a[2, "Deviance"] / summary(fit)$dispersion, lr_p = if (exact) pchisq(gain, a[2, "Df"], lower.tail = FALSE) else a[2, "Pr(>Chi)"], rao = r[2, "Rao"] / summary(fit)$dispersion, rao_p = r[2, "Pr(>Chi)"]) },
  list(lr = 2 * as.numeric(logLik(fit) - logLik(small)), lr_p = pchisq(2 * as.numeric(logLik(fit) - logLik(small)), attr(logLik(fit), "df") - attr(logLik(small), "df"), lower.tail = FALSE)))

rows_of <- function(fit, q) lapply(every_row(fit, q), function(values) as.vector(head(values, 20)))
every_row <- function(fit, q) { if (q$kind == "lm") return(list(
    residual = residuals(fit), hat = hatvalues(fit), cooks = cooks.distance(fit), rstandard = rstandard(fit), rstudent = rstudent(fit),
    dffits = dffits(fit), covratio = covratio(fit)))
  list(response = residuals(fit, "response"), pearson = residuals(fit, "pearson"), deviance = residuals(fit, "deviance"),
    working = residuals(fit, "working"), hat = hatvalues(fit), cooks = cooks.distance(fit), rpearson = rstandard(fit, type = "pearson"))
}

robust <- function(fit, d, q) {
  out <- lapply(setNames(nm = c("HC0", "HC1", "HC2", "HC3")), function(type) sqrt(diag(vcovHC(fit, type = type))))
  out$cluster <- sqrt(diag(vcovCL(fit, cluster = d$firm)))
  out$hac <- sqrt(diag(NeweyWest(fit, lag = 2, prewhite = FALSE, adjust = FALSE)))
  lapply(out, as.list)
}

predictions <- function(fit, new, q) {
  if (q$kind == "lm") {
    found <- predict(fit, new, se.fit = TRUE, interval = "prediction", weights = 1)
    return(list(mean = found$fit[, 1], mean_se = found$se.fit, low = found$fit[, 2], high = found$fit[, 3]))
  }
  if (q$kind %in% c("glm", "negbin")) {
    link <- predict(fit, new, se.fit = TRUE); response <- predict(fit, new, type = "response", se.fit = TRUE)
    return(list(linear = link$fit, linear_se = link$se.fit, mean = response$fit, mean_se = response$se.fit))
  }
  if (q$kind == "clm") { found <- predict(fit, new[setdiff(names(new), "y")], se.fit = TRUE, type = "prob"); return(list(prob = number(found$fit), prob_se = number(found$se.fit))) }
  if (q$kind == "multinom") return(list(prob = number(fit$probabilities(model.matrix(delete.response(terms(fit)), new, xlev = fit$xlevels)))))
  if (q$kind == "survreg") { found <- predict(fit, new, type = "lp", se.fit = TRUE); return(list(linear = found$fit, linear_se = found$se.fit)) }
  if (q$kind == "zeroinfl") return(list(mean = predict(fit, new, type = "response"), prob = predict(fit, new, type = "zero")))
  NULL
}

unsound <- function(fit, q) switch(q$kind,
  clm = any(abs(solve(fit$Hessian, fit$gradient)) > 1e-8 * sqrt(diag(solve(fit$Hessian)))), multinom = fit$convergence != 0, zeroinfl = !fit$converged,
  glm = , negbin = !fit$converged || isTRUE(fit$boundary) || !is.null(fit$th.warn), FALSE)

answer <- function(q) {
  frame <- function(columns) { d <- as.data.frame(columns); for (g in intersect(c("g", "h"), names(d))) d[[g]] <- factor(d[[g]], levels = q$levels[[g]]); d }
  d <<- frame(q$data)
  d$wt <<- if ("weights" %in% q$rows) d$weights else 1
  if ("counts" %in% q$rows) d <<- d[rep(seq_len(nrow(d)), d$counts), ]
  if (q$kind == "clm") d$y <<- ordered(d$y)
  if (q$kind == "multinom") d$y <<- factor(d$y)
  if (q$kind == "glm" && q$family %in% c("binomial", "quasibinomial") && "trials" %in% q$rows) { d$y <<- d$y / d$trials; d$wt <<- d$trials }
  form <<- as.formula(q$formula)
  fit <- FIT[[q$kind]](form, d, q)
  if (unsound(fit, q) || anyNA(coef_of(fit))) return(list(failed = "no answer"))
  out <- common(fit, d, q)
  if (q$kind == "lm") out <- c(out, list(bic = BIC(fit), scale = summary(fit)$sigma^2, r2 = summary(fit)$r.squared, r2_adj = summary(fit)$adj.r.squared,
                                         overall = unname(summary(fit)$fstatistic[1])))
  if (q$kind %in% c("glm", "negbin")) out <- c(out, list(deviance = fit$deviance, null_deviance = fit$null.deviance, scale = summary(fit)$dispersion,
                                        pearson = sum(residuals(fit, "pearson")^2), df_resid = fit$df.residual))
  if (q$kind == "negbin") { out$theta <- fit$theta; 
    t <- fit$theta; y <- d$y; mu <- fitted(fit)            # glm.nb's own is that of a step before
    out$theta_se <- sum(trigamma(t) - trigamma(t + y) - 1 / t + 2 / (mu + t) - (y + t) / (mu + t)^2)^-0.5 }
  if (q$kind == "survreg" && q$family != "exponential") { out$sigma <- fit$scale; out$sigma_se <- fit$scale * sqrt(vcov(fit)["Log(scale)", "Log(scale)"]) }
  if (q$kind == "zeroinfl" && q$family == "negbin") out$theta <- fit$theta
  if (q$kind == "lm") out$confint <- as.list(as.data.frame(t(confint(fit))))
  if (!is.null(REFIT[[q$kind]])) out$limits <- attempt(limits(fit, d, q))
  if (!q$kind %in% c("zeroinfl", "multinom")) out$tests <- attempt(hypotheses(fit, d, q))
  whole <- form; form <<- as.formula(q$smaller)
  small <- attempt(FIT[[q$kind]](form, d, q))
  form <<- whole
  if (!is.null(small) && !unsound(small, q)) out$nested <- attempt(comparisons(fit, small, q))
  if (q$kind %in% c("lm", "glm")) { out$robust <- attempt(robust(fit, d, q)); if (!"counts" %in% q$rows) out$rows <- attempt(rows_of(fit, q)) }
  if (q$kind %in% c("clm", "survreg")) out$robust <- attempt(list(HC0 = as.list(setNames(sqrt(diag(sandwich(fit))), rownames(vcov(fit))))))
  out$predictions <- attempt(predictions(fit, frame(q$new), q))
  out
}

paths <- commandArgs(TRUE)
questions <- fromJSON(paths[1], simplifyVector = TRUE, simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- lapply(questions, function(q) tryCatch(answer(q), error = function(e) list(failed = conditionMessage(e))))
versions <- lapply(setNames(nm = c("MASS", "nnet", "survival", "pscl", "ordinal", "sandwich", "car")), function(p) as.character(packageVersion(p)))
versions$R <- paste(R.version$major, R.version$minor, sep = ".")
write(toJSON(list(versions = versions, answers = answers), digits = NA, auto_unbox = TRUE, na = "string", null = "null"), paths[2])
