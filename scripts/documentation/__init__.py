"""The documentation site: pages in Markdown, and reference pages made from the code and `conf/`."""
