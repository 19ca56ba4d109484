"""Part C of context binding: pushed along a signal, does the model find the text of that side the likelier one?"""
