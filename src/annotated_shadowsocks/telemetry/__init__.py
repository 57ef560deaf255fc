"""What runs, in figures.

``families``    the series that exist: the one table that pages, dashboards and tests are held to
``exposition``  their figures as Prometheus reads them
``figures``     figures of several processes added up, and kept when one of them dies
``board``       where the processes of one program write theirs
``queue_probe`` the eye on the accept queues of our own listeners
``processes``   what a process costs the host
"""

__all__: list[str] = []
