"""From documents to a FAISS index, and from a question to passages. Knows no tenant, prompt or engine."""
