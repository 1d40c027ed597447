"""Recipes: text, schema, and what ships."""
