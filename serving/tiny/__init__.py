"""The bundled stand-in model: a tokenizer, Llama-style weights, and the scripts that made them.

Not a language model to rely on. It exists so that the gateway can be started, shown and tested against a real engine
on a machine without a GPU or a network. `README.md` beside this file says what it can do and how well.
"""
