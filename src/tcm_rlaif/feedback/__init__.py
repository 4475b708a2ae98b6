"""AI feedback: candidates, judges, the audit that a judge has to pass, labels, preference pairs."""
