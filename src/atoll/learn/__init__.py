"""Lessons: worlds to learn in, steps, and judges that look at the state and never at what was typed.

Nothing here does I/O but `texts`, which reads what a lesson says in each language.
"""
