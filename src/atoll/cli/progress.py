"""A line on the terminal that tells how far something is. Where there is no terminal, nothing."""

import sys
import time

_REDRAW_SECONDS = 0.1
_BAR_CELLS = 30


class Progress:
    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._shown = sys.stderr.isatty()
        self._started = time.monotonic()
        self._drawn = 0.0
        self.count = 0

    def add(self, count: int) -> None:
        self.count += count
        now = time.monotonic()
        if self._shown and now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            self._draw()

    def close(self) -> None:
        if self._shown:
            self._draw()
            print(file=sys.stderr)

    def _draw(self) -> None:
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = f"{self.count:,} items, {self.count / seconds:,.0f} a second"
        if self._total:
            part = min(1.0, self.count / self._total)
            full = round(part * _BAR_CELLS)
            rate = f"[{'#' * full}{'.' * (_BAR_CELLS - full)}] {part:4.0%}  {rate}"
        print(f"\r{self._what}  {rate}\x1b[K", end="", file=sys.stderr, flush=True)
