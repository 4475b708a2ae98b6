"""Training: one module a method, each over a well-kept trainer; proofs and the health panel."""
