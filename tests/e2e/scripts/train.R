# Saves what it has by saveRDS, as R's users do, and goes on from it.
file <- "models/state.rds"
state <- if (file.exists(file)) readRDS(file) else list(step = 0, weights = rep(0, 1000))
cat("begins at", state$step, "\n")
dir.create("models", showWarnings = FALSE)
arguments <- commandArgs(trailingOnly = TRUE)
while (state$step < as.integer(arguments[1])) {
  state$step <- state$step + 1
  state$weights <- state$weights + rnorm(1000)
  saveRDS(state, file)
  cat("step", state$step, "\n")
  Sys.sleep(as.numeric(arguments[2]))
}
