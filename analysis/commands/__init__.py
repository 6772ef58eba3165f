"""The commands of analysis: options in, tables out."""
