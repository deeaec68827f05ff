"""Objectives: plan + what people say + what was measured -> needs, priorities, cost, prediction."""
