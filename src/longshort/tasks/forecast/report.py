def render(f): return "<html></html>"
