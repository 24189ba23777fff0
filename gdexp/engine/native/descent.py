"""The native loop over rows and iterations: the steps in the docstring of `Rows`."""

from __future__ import annotations

from gdexp.engine.native.forms import Form, Steps
from gdexp.engine.native.row import SAME, VARIABLES, RowWriter
from gdexp.engine.native.table import ARRAYS, MORE, PLACE
from gdexp.engine.native.writer import LIKELY, UNLIKELY, Types, hexadecimal
from gdexp.engine.rows import Code

_INFINITE = hexadecimal(float("inf"))
_NAN = hexadecimal(float("nan"))
_INTEGERS = (
    "trace_row",
    "trace_step",
    "trace_first",
    "coefficient_row",
    "coefficient_step",
    "coefficient_first",
    "until",
    "norms_row",
)


class Descent(RowWriter):
    """Writes the function `rows`, which advances rows `begin` to `end` by a block.

    Args:
        types: of the numbers.
        steps: the plan's programs.
        form: of the code of one step.
    """

    def __init__(self, types: Types, steps: Steps, form: Form) -> None:
        super().__init__(types, steps)
        self.form = form

    def function(self) -> str:
        """Return the function's text."""
        w = self.w
        self._prepare()
        w.store("i64", "%begin", "%row")
        w.jump("row.head")
        w.place("row.head")
        w.do("%r = load i64, ptr %row")
        w.branch(w.set("icmp slt i64 %r, %end"), "row.begin", "done")
        self._begin_row()
        self._load_row()
        if not self.steps.same:
            started = w.set(f"icmp eq i64 {self._get('k')}, 0")
            w.branch(started, "first.step", "later.step")
            self._step("first", first=True)
        else:
            w.jump("later.step")
        self._step("later", first=False)
        self._write_row()
        w.place("row.next")
        w.store("i64", w.set("add nsw i64 %r, 1"), "%row")
        w.jump("row.head")
        w.place("done")
        w.do("ret void")
        head = (
            "define internal void @rows(ptr noalias readonly %table, i64 %begin, i64 %end, "
            "ptr noalias %scratch) noinline #0 {\nentry:\n"
        )
        return head + "\n".join(w.lines) + "\n}\n" + SAME.format(integer=self.types.integer)

    def _prepare(self) -> None:
        w = self.w
        for name in ARRAYS + MORE:
            kind = "i64" if name in _INTEGERS else "ptr"
            address = w.at("i64", "%table", PLACE[name])
            w.do(f"%t.{name} = load {kind}, ptr {address}")
        for kind, names in (*VARIABLES.items(), (self.types.number, self.numbers)):
            for name in names:
                w.do(f"%{name} = alloca {kind}")
        w.do("%row = alloca i64")
        # Without a trace the losses go to this thread's own number, which nobody reads.
        w.do("%unread = alloca double")
        untraced = w.set("icmp eq ptr %t.trace, null")
        w.do(f"%traces = select i1 {untraced}, ptr %unread, ptr %t.trace")
        w.do(f"%all.norms = select i1 {untraced}, ptr %unread, ptr %t.norms")
        self.form.begin(w)

    def _begin_row(self) -> None:
        """Pass over a row that has ended, waits, or stands behind the block."""
        w = self.w
        w.place("row.begin")
        code, checked = self._of_row("code"), self._of_row("checked")
        running = w.set(f"icmp eq i32 {code}, {int(Code.RUNNING)}")
        waits = w.set(f"icmp eq i32 {code}, {int(Code.BELOW)}")
        known = w.set(f"icmp ne i32 {checked}, 0")
        goes = w.set(f"or i1 {running}, {w.set(f'and i1 {waits}, {known}')}")
        within = w.set(f"icmp sle i64 {self._of_row('k')}, %t.until")
        w.branch(w.set(f"and i1 {goes}, {within}"), "row.load", "row.next")

    def _load_row(self) -> None:
        w = self.w
        w.place("row.load")
        k = self._of_row("k")
        self._let("k", k)
        self._let("event", k)
        self._let("evaluations", self._of_row("evaluations"))
        self._let("threshold", self._of_row("threshold"))
        for name in self.numbers:
            self._let(name, self._narrow(self._of_row(name)))
        w.do(f"%f_star = load double, ptr {self._place('f_star')}")
        self.form.load(w, self._vector("x"), self._vector("state"), self._vector("last"))
        trace = w.set("mul nsw i64 %r, %t.trace_row")
        w.do(f"%trace = getelementptr double, ptr %traces, i64 {trace}")
        if self.steps.has_norms:
            norms = w.set("mul nsw i64 %r, %t.norms_row")
            w.do(f"%norms = getelementptr double, ptr %all.norms, i64 {norms}")
        row = w.set("mul nsw i64 %r, %t.coefficient_row")
        number = self.types.number
        w.do(f"%coefficients = getelementptr {number}, ptr %t.coefficients, i64 {row}")

    def _step(self, p: str, first: bool) -> None:
        """Write a step; the labels of its blocks begin with `p`."""
        w = self.w
        w.place(f"{p}.step")
        k = self._get("k")
        update = w.set(f"sub nsw i64 {w.set(f'add nsw i64 {k}, 1')}, %t.coefficient_first")
        offset = w.set(f"mul nsw i64 {update}, %t.coefficient_step")
        place = w.set(f"getelementptr {self.types.number}, ptr %coefficients, i64 {offset}")
        loss, accepted, norm = self.form.step(w, first, place)
        self._let("evaluations", w.set(f"add nsw i64 {self._get('evaluations')}, 1"))
        if accepted is not None:
            w.branch(accepted, f"{p}.accepted", f"{p}.retry")
            w.place(f"{p}.retry")
            self.form.retry(w)
            w.jump(f"{p}.step")
            w.place(f"{p}.accepted")
        wide = self._wide(loss)
        self._trace(k, wide)
        compared = wide
        if norm is not None:
            self._let("norm", norm)
            compared = self._wide(norm)
            self._trace(k, compared, "norms")
        gap = w.set(f"fsub double {compared}, %f_star")
        bits = self._bits(loss)
        usual = [
            w.set(f"fcmp ogt double {gap}, {self._get('threshold')}"),
            *self._finite(wide, gap, norm is not None),
            self._differs(bits, "last_loss"),
            self._differs(bits, "anchor_loss"),
            w.set(f"icmp ne i64 {k}, {self._get('event')}"),
        ]
        together = usual[0]
        for each in usual[1:]:
            together = w.set(f"and i1 {together}, {each}")
        w.branch(together, f"{p}.usual", f"{p}.event", LIKELY)
        self._event(p, loss, wide, gap, bits, compared)
        w.place(f"{p}.usual")
        self._extremes("olt", "ogt", loss)
        w.jump(f"{p}.go")
        w.place(f"{p}.go")
        self._go(loss)
        w.jump("later.step")

    def _finite(self, wide: str, gap: str, has_norms: bool) -> list[str]:
        """Return conditions that are true of a finite loss; above its threshold it is no -inf."""
        w = self.w
        if not has_norms:
            return [w.set(f"fcmp olt double {gap}, {_INFINITE}")]
        difference = w.set(f"fsub double {wide}, {wide}")
        return [w.set(f"fcmp ord double {difference}, {difference}")]

    def _differs(self, bits: str, name: str) -> str:
        return self.w.set(f"icmp ne {self.types.integer} {bits}, {self._bits(self._get(name))}")

    def _trace(self, k: str, wide: str, trace: str = "trace") -> None:
        w = self.w
        column = w.set(f"sub nsw i64 {k}, %t.trace_first")
        column = w.set(f"mul nsw i64 {column}, %t.trace_step")
        w.store("double", wide, w.set(f"getelementptr double, ptr %{trace}, i64 {column}"))

    def _extremes(self, less: str, greater: str, loss: str) -> None:
        """Update `lowest` and `highest`; the first of equal losses stays."""
        w, number = self.w, self.types.number
        for name, relation in (("lowest", less), ("highest", greater)):
            old = self._get(name)
            beyond = w.set(f"fcmp {relation} {number} {loss}, {old}")
            self._let(name, w.set(f"select i1 {beyond}, {number} {loss}, {number} {old}"))

    def _go(self, loss: str) -> None:
        """Replace x, states and k by the next ones."""
        self._let("last_loss", loss)
        if self.steps.has_norms:
            self._let("last_norm", self._get("norm"))
        self.form.advance(self.w)
        self._let("k", self.w.set(f"add nsw i64 {self._get('k')}, 1"))

    def _event(self, p: str, loss: str, wide: str, gap: str, bits: str, compared: str) -> None:
        """Write the steps 3 to 8 for an iteration at which one of them may do something."""
        w = self.w
        w.place(f"{p}.event")
        difference = w.set(f"fsub double {wide}, {wide}")
        finite = w.set(f"fcmp ord double {difference}, {difference}")
        w.branch(finite, f"{p}.finite", f"{p}.diverged")
        self._diverged(p, loss, wide)
        w.place(f"{p}.finite")
        met = w.set(f"fcmp ole double {gap}, {self._get('threshold')}")
        w.branch(met, f"{p}.met", f"{p}.record")
        self._met(p, loss, wide, gap, compared)
        w.place(f"{p}.record")
        self._records(loss, compared)
        self._stall(p, loss, wide, bits)
        w.place(f"{p}.limit")
        k = self._get("k")
        limited = w.set(f"icmp sge i64 {k}, {self._of_row('limit')}")
        w.branch(limited, f"{p}.limited", f"{p}.until")
        w.place(f"{p}.limited")
        self._end(Code.LIMIT, wide)
        w.place(f"{p}.until")
        self._let("event", self._next_event(k))
        w.branch(w.set(f"icmp sge i64 {k}, %t.until"), f"{p}.pause", f"{p}.go")
        w.place(f"{p}.pause")
        self._go(loss)
        self._end(Code.RUNNING, wide)

    def _records(self, loss: str, compared: str) -> None:
        self._extremes("ult", "ugt", loss)
        self._midway(compared)

    def _midway(self, compared: str) -> None:
        w = self.w
        now = w.set(f"icmp eq i64 {self._get('k')}, {self._of_row('midway_at')}")
        value = w.set(f"select i1 {now}, double {compared}, double {self._of_row('midway')}")
        self._put("midway", value)

    def _end(self, code: Code, recorded: str) -> None:
        """Leave the row with a code and its last recorded loss."""
        self._let("code", str(int(code)))
        self._let("recorded", recorded)
        self.w.jump("row.write")

    def _diverged(self, p: str, loss: str, wide: str) -> None:
        w, number = self.w, self.types.number
        w.place(f"{p}.diverged")
        nan = w.set(f"fcmp uno double {wide}, {wide}")
        canonical = w.set(f"select i1 {nan}, double {_NAN}, double {wide}")
        self._trace(self._get("k"), canonical)
        old = self._get("highest")
        beyond = w.set(f"fcmp ugt {number} {loss}, {old}")
        higher = w.set(f"select i1 {beyond}, {number} {loss}, {number} {old}")
        self._let("highest", w.set(f"select i1 {nan}, {number} {old}, {number} {higher}"))
        self._midway(self._wide(self._get("norm")) if self.steps.has_norms else canonical)
        self._end(Code.DIVERGED, canonical)

    def _met(self, p: str, loss: str, wide: str, gap: str, compared: str) -> None:
        """Write step 5 for a loss within the threshold."""
        w = self.w
        w.place(f"{p}.met")
        new = w.set(f"icmp eq i64 {self._of_row('hit_k')}, -1")
        w.branch(new, f"{p}.new", f"{p}.goal")
        w.place(f"{p}.new")
        below = w.set(f"fcmp olt double {wide}, %f_star")
        unknown = w.set(f"icmp eq i32 {self._of_row('checked')}, 0")
        w.branch(w.set(f"and i1 {below}, {unknown}"), f"{p}.below", f"{p}.hit")
        w.place(f"{p}.below")
        self._let("evaluations", w.set(f"sub nsw i64 {self._get('evaluations')}, 1"))
        self._end(Code.BELOW, self._wide(self._get("last_loss")))
        w.place(f"{p}.hit")
        self._put("hit_k", self._get("k"))
        before = "last_norm" if self.steps.has_norms else "last_loss"
        self._put("before", self._wide(self._get(before)))
        w.jump(f"{p}.goal")
        w.place(f"{p}.goal")
        first = w.set(f"phi i1 [ false, %{p}.met ], [ true, %{p}.hit ]")
        goal = self._of_row("goal")
        w.branch(w.set(f"fcmp ole double {gap}, {goal}"), f"{p}.converged", f"{p}.beyond")
        w.place(f"{p}.converged")
        self._records(loss, compared)
        self._end(Code.CONVERGED, wide)
        w.place(f"{p}.beyond")
        w.branch(first, f"{p}.copy", f"{p}.onward")
        w.place(f"{p}.copy")
        self.form.store(w, self._vector("hit_x"), None)
        w.jump(f"{p}.onward")
        w.place(f"{p}.onward")
        self._let("threshold", goal)
        self._put("threshold", goal)
        self._put("limit", self._of_row("max_iterations"))
        w.jump(f"{p}.record")

    def _stall(self, p: str, loss: str, wide: str, bits: str) -> None:
        """Write step 6."""
        w = self.w
        k = self._get("k")
        constant = w.set(f"icmp sge i64 {k}, {self._of_row('constant_since')}")
        w.branch(constant, f"{p}.last", f"{p}.limit")
        w.place(f"{p}.last")
        w.branch(self._differs(bits, "last_loss"), f"{p}.anchor", f"{p}.repeats")
        w.place(f"{p}.repeats")
        w.branch(self.form.equals(w, None), f"{p}.still", f"{p}.anchor", UNLIKELY)
        w.place(f"{p}.still")
        self._put("period", "1")
        self._end(Code.STALLED, wide)
        w.place(f"{p}.anchor")
        w.branch(self._differs(bits, "anchor_loss"), f"{p}.power", f"{p}.returns")
        w.place(f"{p}.returns")
        equal = self.form.equals(w, self._vector("anchor"))
        w.branch(equal, f"{p}.cycle", f"{p}.power", UNLIKELY)
        w.place(f"{p}.cycle")
        self._put("period", w.set(f"sub nsw i64 {k}, {self._of_row('anchor_k')}"))
        self._end(Code.STALLED, wide)
        w.place(f"{p}.power")
        less = w.set(f"and i64 {k}, {w.set(f'add nsw i64 {k}, -1')}")
        w.branch(w.set(f"icmp eq i64 {less}, 0"), f"{p}.keep", f"{p}.limit")
        w.place(f"{p}.keep")
        anchor = self._vector("anchor")
        self.form.store(w, anchor, w.at(self.types.number, anchor, self.steps.n))
        self._put("anchor_k", k)
        self._let("anchor_loss", loss)
        w.jump(f"{p}.limit")

    def _next_event(self, k: str) -> str:
        """Return the next iteration at which a step may do something because of its number."""
        w = self.w
        following = w.set(f"add nsw i64 {k}, 1")
        zeros = w.set(f"call i64 @llvm.ctlz.i64(i64 {k}, i1 false)")
        power = w.set(f"shl i64 1, {w.set(f'sub nsw i64 64, {zeros}')}")
        midway = self._of_row("midway_at")
        later = w.set(f"icmp sgt i64 {midway}, {k}")
        found = w.set(f"select i1 {later}, i64 {midway}, i64 {power}")
        limit = self._smaller("sgt", self._of_row("limit"), following)
        for each in (power, limit, "%t.until"):
            found = self._smaller("slt", found, each)
        return found

    def _smaller(self, relation: str, a: str, b: str) -> str:
        chosen = self.w.set(f"icmp {relation} i64 {a}, {b}")
        return self.w.set(f"select i1 {chosen}, i64 {a}, i64 {b}")

    def _write_row(self) -> None:
        w = self.w
        w.place("row.write")
        self._put("code", self._get("code"))
        self._put("k", self._get("k"))
        self._put("evaluations", self._get("evaluations"))
        self._put("loss", self._get("recorded"))
        for name in self.numbers:
            self._put(name, self._wide(self._get(name)))
        self.form.store(w, self._vector("x"), self._vector("state"))
        self.form.store_last(w, self._vector("last"))
        w.jump("row.next")
