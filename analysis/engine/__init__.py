"""Tables larger than memory: the sums of `analysis.moments.sums` asked of DuckDB or Spark, as one Ibis expression for both.

A table design is a `SurveyDesign` whose rows are the distinct combinations of design labels (its *atoms*), each with the
sum of the weights of the table's rows there; stages, calibration and variances work on the atoms as they would on rows.
Only the sums over respondents run where the table is. Nothing here knows a formula of a variance.
"""
