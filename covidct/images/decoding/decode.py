"""The one seam at which C libraries are called to decode: a job and bytes -> pixels.

Called in a process that decodes (`process`), and in the program itself where a system has no such limits.
"""

from __future__ import annotations

from covidct.images.decoding.jobs import Decoded, FrameJob, Job


def decode_here(job: Job, data: bytes) -> Decoded:
    """Decode in this process. Raises ReadError for what is no single picture, anything at all for damage."""
    # Here, not above: each kind needs libraries that the other does not.
    if isinstance(job, FrameJob):
        from covidct.images.decoding.frames import decode_frame

        return decode_frame(job, data)
    from covidct.images.decoding.pictures import decode_picture

    return decode_picture(job, data)


def load_libraries(job: Job) -> None:
    """Import what a job needs, before its time and memory are counted."""
    if isinstance(job, FrameJob):
        from covidct.images.decoding.frames import load_libraries

        load_libraries(job)
    else:
        from covidct.images.decoding.pictures import load_plugin

        load_plugin(job.kind)
