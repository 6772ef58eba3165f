"""What sums give away: hidden counts of centre × field and its margins, and which others must be hidden with them.

Public: Place, Sets (complete, exposed).

Every additive set is one equation: the fields of all, the centres of all, the fields of a centre, the centres of a
field. Read as a two-way table with its margins in the last row and column, each row and each column is one set. So the
hidden cells are the edges of a graph between rows and columns, and a hidden cell can be computed from the shown ones
exactly where its edge is a bridge, that is, lies on no cycle: the rank test without a matrix. What a set knows only to
be between bounds is a flow through the same graph: a cell has more than one possible value exactly where a cycle can be
walked on which every cell has room in the direction walked.

References
----------
Gusfield, D. (1988). A graph theoretic approach to statistical data security. SIAM Journal on Computing 17, 552–571.
https://doi.org/10.1137/0217034
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import count
from typing import Literal

FEW, SAME_BELOW, HIDDEN_TOGETHER = 5, 10, 10
"""Under FEW responses, or under SAME_BELOW all alike, is confidential; hidden cells hold HIDDEN_TOGETHER or more."""

Place = tuple[str, str]
"""Centre and field; "" for all of them."""
Node = tuple[Literal["row", "column", "free"], str]
Hidden = dict[Place, str]
FREE: Node = ("free", "")
"""Stands for every row or column that is no additive set here: it holds no equation."""


@dataclass(frozen=True, eq=False)
class Sets:
    """The additive sets of one measure. counts : place -> its count, every published place once"""

    counts: Mapping[Place, int]

    def complete(self, hidden: Hidden) -> None:
        """Add `complementary` places until no hidden count can be computed from what is shown.

        In each set with a hidden cell at least two are hidden, the smallest others first, and together they hold
        HIDDEN_TOGETHER or more; where a set has too little for that, its total is hidden as well. Then every hidden cell
        must lie on a cycle of hidden cells, and every confidential one must have more than one possible value.
        """
        size, open_yet = -1, list[Place]()
        while size != len(hidden):
            size = len(hidden)
            self._fill(hidden)
            determined = self._determined(hidden)
            for place in determined:
                self._hide(
                    self._way_round(place, lambda one, up: one in hidden or self.counts[one] > 0, hidden), hidden
                )
            forced = self._forced(hidden)
            for place in forced:
                self._hide(self._way_round(place, self._room(hidden, all_places=True), hidden), hidden)
            open_yet = determined + forced
        if open_yet:
            self._hide(self.counts, hidden)

    def exposed(self, hidden: Mapping[Place, str]) -> list[Place]:
        """Hidden places whose count follows from the shown ones, and confidential ones with one possible value only."""
        return sorted({*self._determined(hidden), *self._forced(hidden)})

    def _hide(self, places: Iterable[Place], hidden: Hidden) -> None:
        for place in places:
            if self.counts[place]:
                hidden.setdefault(place, "complementary")

    # ---- the sets, one by one

    @cached_property
    def _parts(self) -> dict[Node, list[Place]]:
        """The parts of each additive set; its total is `_total`."""
        parts: dict[Node, list[Place]] = defaultdict(list)
        for centre, field in self.counts:
            if field:
                parts["row", centre].append((centre, field))
            if centre:
                parts["column", field].append((centre, field))
        return {node: sorted(found) for node, found in parts.items() if _total(node) in self.counts}

    def _fill(self, hidden: Hidden) -> None:
        """The rule for each set alone, repeated until it holds in all of them."""
        waiting = list(self._parts)
        while waiting:
            node = waiting.pop()
            for place in self._short_of(node, hidden):
                hidden[place] = "complementary"
                waiting += [end for end in self._ends[place] if end not in (FREE, node)]

    def _short_of(self, node: Node, hidden: Mapping[Place, str]) -> list[Place]:
        """What one set must hide besides, the smallest others first."""
        parts, total = self._parts[node], _total(node)
        inside = [place for place in parts if place in hidden]  # a blank that holds nothing is a blank to the reader
        gone = total in hidden and self.counts[total] > 0
        if not gone and not any(self.counts[place] for place in inside):
            return []
        others = [place for place in parts if place not in hidden and self.counts[place]]
        others.sort(key=lambda place: (self.counts[place], place))
        together = sum(self.counts[place] for place in inside)
        more: list[Place] = []
        for place in others:
            if len(inside) + len(more) + gone >= 2 and together >= HIDDEN_TOGETHER:
                return more
            more.append(place)
            together += self.counts[place]
        enough = len(inside) + len(more) >= 2 and together >= HIDDEN_TOGETHER
        return more if enough or total in hidden else [*more, total]

    # ---- all sets together

    @cached_property
    def _ends(self) -> dict[Place, tuple[Node, Node]]:
        """The row and the column of each place; FREE where that is no additive set."""
        ends: dict[Place, tuple[Node, Node]] = {}
        for place in self.counts:
            row: Node = ("row", place[0])
            column: Node = ("column", place[1])
            ends[place] = (row if row in self._parts else FREE), (column if column in self._parts else FREE)
        return ends

    def _determined(self, hidden: Mapping[Place, str]) -> list[Place]:
        edges = [(place, *self._ends[place]) for place in self.counts if place in hidden]
        return sorted(place for place in bridges(edges) if self.counts[place])

    def _forced(self, hidden: Mapping[Place, str]) -> list[Place]:
        """Confidential places that the sets and the meaning of their mark leave a single possible count."""
        room = self._room(hidden)
        loose = [(place, *self._ends[place]) for place in self.counts if room(place, True) and room(place, False)]
        tied = bridges(loose)
        component = components(loose)
        found = []
        for place, state in hidden.items():
            if state != "confidential" or not self.counts.get(place):
                continue
            row, column = self._ends[place]
            easy = row == column or (place not in tied and component.get(row, row) == component.get(column, column))
            if not easy and not self._loose(place, room):
                found.append(place)
        return sorted(found)

    def _loose(self, place: Place, room: Callable[[Place, bool], bool]) -> bool:
        """Whether any other way between the ends of a place has room."""
        row, column = self._ends[place]
        for start, goal, up in ((column, row, True), (row, column, False)):
            if not room(place, up != _margin(place)):
                continue
            seen, waiting = {start}, [start]
            while waiting:
                node = waiting.pop()
                for other in self._at[node]:
                    one, two = self._ends[other]
                    to = two if node == one else one
                    if to not in seen and other != place and room(other, (node == one) != _margin(other)):
                        if to == goal:
                            return True
                        seen.add(to)
                        waiting.append(to)
        return False

    def _room(self, hidden: Mapping[Place, str], all_places: bool = False) -> Callable[[Place, bool], bool]:
        """Whether a hidden count could be one more (True) or one less, as far as its mark tells.

        all_places : also for those shown so far, as they would be marked
        """

        def room(place: Place, up: bool) -> bool:
            number, state = self.counts[place], hidden.get(place, "complementary" if all_places else "")
            if not number or not state:
                return False
            least, most = (1, SAME_BELOW - 1) if state == "confidential" else (FEW, number + 1)
            return number < most if up else number > least

        return room

    @cached_property
    def _at(self) -> dict[Node, list[Place]]:
        at: dict[Node, list[Place]] = defaultdict(list)
        for place, number in self.counts.items():
            if number:
                for end in dict.fromkeys(self._ends[place]):
                    at[end].append(place)
        return at

    def _way_round(
        self, place: Place, room: Callable[[Place, bool], bool], hidden: Mapping[Place, str]
    ) -> tuple[Place, ...]:
        """The cheapest other way between the ends of a place along which counts have room: nothing where there is none.

        A margin counts against its parts, so that it moves the other way. Cheap is what hides few responses more.
        """
        found: list[tuple[float, tuple[Place, ...]]] = []
        row, column = self._ends[place]
        for start, goal, up in ((column, row, True), (row, column, False)):
            if room(place, up != _margin(place)):
                found += self._walk(start, goal, place, room, hidden)
        return min(found, default=(0.0, ()))[1]

    def _walk(
        self, start: Node, goal: Node, without: Place, room: Callable[[Place, bool], bool], hidden: Mapping[Place, str]
    ) -> Iterator[tuple[float, tuple[Place, ...]]]:
        """Dijkstra's way from start to goal, if there is one: its cost and its places."""
        ticket = count()
        heap: list[tuple[float, int, Node, tuple[Place, ...]]] = [(0.0, next(ticket), start, ())]
        done: set[Node] = set()
        while heap:
            cost, _, node, way = heappop(heap)
            if node in done:
                continue
            done.add(node)
            if node == goal and way:
                yield cost, way
                return
            for place in self._at[node]:
                row, column = self._ends[place]
                to, up = (column, True) if node == row else (row, False)
                if place != without and to not in done and room(place, up != _margin(place)):
                    price = 1e-6 if place in hidden else 1.0 + self.counts[place]
                    heappush(heap, (cost + price, next(ticket), to, (*way, place)))


def _total(node: Node) -> Place:
    return (node[1], "") if node[0] == "row" else ("", node[1])


def _margin(place: Place) -> bool:
    """A centre's or a field's total: a part of one set and the whole of another."""
    return bool(place[0]) != bool(place[1])


Edge = tuple[Place, Node, Node]


def components(edges: Iterable[Edge]) -> dict[Node, Node]:
    """Each node's component, by one of its nodes."""
    parent: dict[Node, Node] = {}

    def find(node: Node) -> Node:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for _, one, other in edges:
        parent[find(one)] = find(other)
    return {node: find(node) for node in parent}


def bridges(edges: Iterable[Edge]) -> set[Place]:
    """Edges that lie on no cycle; two edges between the same nodes are a cycle, and so is one from a node to itself.

    Tarjan, R. E. (1974). A note on finding the bridges of a graph. https://doi.org/10.1016/0020-0190(74)90003-9
    """
    at: dict[Node, list[tuple[Place, Node]]] = defaultdict(list)
    for place, one, other in edges:
        if one != other:
            at[one].append((place, other))
            at[other].append((place, one))
    order: dict[Node, int] = {}
    low: dict[Node, int] = {}
    found: set[Place] = set()
    for root in list(at):
        if root in order:
            continue
        order[root] = low[root] = len(order)
        stack: list[tuple[Node, Place | None, Node | None, Iterator[tuple[Place, Node]]]] = [
            (root, None, None, iter(at[root]))
        ]
        while stack:
            node, came_by, above, rest = stack[-1]
            for place, to in rest:
                if place == came_by:
                    continue
                if to in order:
                    low[node] = min(low[node], order[to])
                else:
                    order[to] = low[to] = len(order)
                    stack.append((to, place, node, iter(at[to])))
                    break
            else:
                stack.pop()
                if above is not None and came_by is not None:
                    low[above] = min(low[above], low[node])
                    if low[node] > order[above]:
                        found.add(came_by)
    return found
