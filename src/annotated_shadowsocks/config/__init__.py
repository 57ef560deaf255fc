"""What the operator wants: from text to one checked value, or to errors that say where and why.

``reader``    JSON with comments into values that remember their line and column
``secret``    text that never shows itself
``kinds``     what a value may look like, one function per shape
``option``    what a row of the table of options says
``options``   the one table of options: keys, aliases, defaults, flags of both dialects
``foreign``   its other half: what peers have and this program answers with an explanation
``sections``  settings of one object, laid over those of the objects around it
``sources``   all that settings come from, and where their problems go
``servers``   from settings to servers and their credentials
``listeners`` from settings to local listeners and their users
``build``     document and flags to ``model.Config``, or every error that was found
``links``     document to SIP002 URLs
``show``      ``Config`` back to plain values, secrets masked
``model``     the result: frozen, typed, checked

Nothing here opens a file or looks at the environment: both are arguments.
"""

__all__: list[str] = []
