"""The table of a comparison: medians of both sides, their ratio, the goal, and whether it is met."""

import statistics


class Row:
    """Medians of both sides, and what their ratio must be."""

    def __init__(self, what, peer, theirs, ours, goal, at_least=True, unit="/s"):
        self.what, self.peer, self.goal, self.at_least, self.unit = what, peer, goal, at_least, unit
        self.theirs, self.ours = (statistics.median(side) if side else None for side in (theirs, ours))
        value = self.ours / self.theirs if theirs else self.ours
        self.value = value
        self.is_met = value >= goal if at_least else value <= goal

    def cells(self):
        sign = ">=" if self.at_least else "<="
        theirs = "-" if self.theirs is None else number(self.theirs)
        value = number(self.value)
        return [self.what, self.peer, self.unit, theirs, number(self.ours), value, f"{sign} {self.goal:g}", "yes" if self.is_met else "**no**"]


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows):
    print("| what | beside | unit | theirs | Seedbed | ratio | goal | met |\n|---|---|---|---:|---:|---:|---:|---|")
    for row in rows:
        print("| " + " | ".join(row.cells()) + " |")
