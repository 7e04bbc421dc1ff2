"""What splats are for: functions of tokens and pairs, and how surely a splat serves one."""
