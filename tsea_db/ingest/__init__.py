"""From weights to rows: the job, its scores, and the null distributions that they are measured against."""
