"""Where tasks run. Each executor is a `concurrent.futures.Executor`; nothing else of a run knows which it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import psutil

from loganalyzer.errors import UsageError
from loganalyzer.fleet.task import Threads, threads

#: What starts the word of ``--executor`` for a Dask cluster.
DASK = "dask"


@contextlib.contextmanager
def opened(word: str | None, jobs: int) -> Iterator[Executor]:
    """The executor of ``--executor``: none for processes of this machine, ``dask`` or ``dask://HOST:PORT``.

    Raises:
        UsageError: the word names no executor, or the cluster cannot be reached.
    """
    if word is None:
        with _on_this_machine(jobs) as executor:
            yield executor
    elif word == DASK or word.startswith(f"{DASK}://"):
        with _on_dask(word.removeprefix(DASK), jobs) as executor:
            yield executor
    else:
        raise UsageError(f"there is no executor {word!r}", None, "write --executor dask or --executor dask://HOST:PORT")


@contextlib.contextmanager
def _on_this_machine(jobs: int) -> Iterator[Executor]:
    """A thread for each job. It only watches: each task scans in a process of its own that it starts."""
    shared = Threads()
    executor = ThreadPoolExecutor(jobs, "scan", initializer=threads.set, initargs=(shared,))
    try:
        yield executor
    except BaseException:
        shared.stop.set()
        _end_children()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        shared.end()


def _end_children() -> None:
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()


@contextlib.contextmanager
def _on_dask(address: str, jobs: int) -> Iterator[Executor]:
    """A Dask cluster that is there, or one on this machine that ends with the run."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        help = "install it: pip install 'azure-vm-loganalyzer[cluster]'"
        raise UsageError("--executor dask needs the package distributed", None, help) from error
    with contextlib.ExitStack() as stack:
        try:
            if address:
                client = stack.enter_context(Client(f"tcp{address}", set_as_default=False))
            else:
                cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None, memory_limit=0)
                client = stack.enter_context(Client(stack.enter_context(cluster), set_as_default=False))
        except (OSError, ValueError) as error:
            help = "give the scheduler's address, as 'dask scheduler' prints it, such as dask://10.0.0.4:8786"
            raise UsageError(f"no Dask scheduler at {address.removeprefix('://')}: {error}", None, help) from error
        yield stack.enter_context(client.get_executor(pure=False))
