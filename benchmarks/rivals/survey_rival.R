# R survey: one item a call (several in one formula drop rows listwise). Answers the lines that worker.py describes.
suppressPackageStartupMessages({library(survey)})
options(survey.lonely.psu = "fail")
input <- file("stdin", "r")
answer <- function(text) { cat("ANSWER", text, "\n"); flush(stdout()) }
read <- function(folder) {
  about <- readLines(file.path(folder, "about.json"), warn = FALSE)
  number <- function(name) as.integer(sub(paste0('.*"', name, '": ([0-9]+).*'), "\\1", about))
  n <- number("n"); items <- number("items")
  whole <- function(name, what, count) readBin(file.path(folder, paste0(name, ".bin")), what, count, size = 4L)
  data <- data.frame(weight = readBin(file.path(folder, "weight.bin"), "double", n))
  for (name in c("stratum", "psu", "field", "agency")) data[[name]] <- whole(name, "integer", n)
  codes <- matrix(readBin(file.path(folder, "codes.bin"), "integer", n * items, size = 1L), n, items)
  codes[codes < 0] <- NA
  for (item in seq_len(items)) {
    data[[sprintf("q%02d", item)]] <- as.double(codes[, item])
    data[[sprintf("tq%02d", item)]] <- as.double(codes[, item] >= 4)
  }
  list(data = data, items = items)
}
estimates <- function(design, by, names) lapply(names, function(name) {
  made <- svyby(reformulate(name), reformulate(by), design, svymean, na.rm = TRUE)
  list(made, confint(made))
})
named <- function(items) list(sprintf("q%02d", seq_len(items)), sprintf("tq%02d", seq_len(items)))
gather <- function(both, result) {  # (measure, value or SE, domains, items), the last fastest
  by_item <- function(measure, what) as.vector(t(matrix(unlist(lapply(measure, function(one) what(one[[1]]))),
                                                         ncol = length(measure))))
  writeBin(as.double(unlist(lapply(both, function(measure) c(by_item(measure, coef), by_item(measure, SE))))), result)
}
answer(sprintf('{"version": "%s (R %s)"}', packageVersion("survey"), getRversion()))
kept <- NULL; folder <- ""
while (length(line <- readLines(input, n = 1L)) > 0) {
  order <- strsplit(line, " ")[[1]]
  said <- tryCatch({
    if (order[2] != folder) { folder <- order[2]; kept <- NULL; gc(); kept <- read(folder) }
    option <- strsplit(order[3], ",")[[1]]     # by, items; or replicates, items
    items <- if (length(option) > 1) as.integer(option[2]) else kept$items
    design <- svydesign(ids = ~psu, strata = ~stratum, weights = ~weight, data = kept$data)
    seconds <- system.time(both <- if (order[1] == "estimate") {
      lapply(named(items), function(names) estimates(design, option[1], names))
    } else {
      drawn <- as.svrepdesign(design, type = "subbootstrap", replicates = as.integer(option[1]), mse = TRUE)
      lapply(named(items), function(names) estimates(drawn, "field", names))
    })[["elapsed"]]
    gather(both, order[4])
    sprintf('{"seconds": %.6f}', seconds)
  }, error = function(e) sprintf('{"error": "%s"}', gsub('["\n\\\\]', " ", conditionMessage(e))))
  answer(said)
}
