"""What is really there, looked at and judged: plan + facts -> findings."""
