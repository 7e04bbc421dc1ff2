"""How tokens attend: exactly, and through the splat field."""
