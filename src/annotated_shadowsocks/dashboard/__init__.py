"""Views of what is going on, for a terminal and for a pipe.

``listener_view``  one listener with its processes: its words, and its JSON
``asked_backlog``  what was asked of listen(), as far as a limit tells
``looker``         looks at all listeners, again and again
``history``        what many looks at all listeners add up to: curves, high-water marks, rates
``watch_view``     what a person has chosen to see, and what each key does to that
``watch_frame``    the two as lines of text, for any size of terminal
``screen``         those lines in a real terminal, by curses, and the keys from it
"""

__all__: list[str] = []
