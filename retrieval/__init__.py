"""Documents to passages to a FAISS index, and back: what is relevant to a question. Knows no tenant, prompt or engine."""
