"""What the router learns and from what, what it promises, and how it is taught, shown and moved."""

import json
import signal
import sqlite3

from support import MinimillTest, eventually

SIM = "[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
UNWATCHED = SIM + "[watch]\nenabled = false\n"

EXAMPLES = [
    {"prompt": f"{what} {thing}", "operation": name, "local_ok": ok, "cloud_ok": True}
    for thing in ("berlin", "paris", "rome", "oslo", "madrid", "london", "vienna", "prague")
    for what, name, ok in (("what is the weather like in", "ask weather", True),
                           ("plan a journey through", "plan journey", False))]


class Routed(MinimillTest):
    CONFIG = UNWATCHED

    def setUp(self):
        super().setUp()
        self.write_config(self.CONFIG)
        self.serve()

    def write_examples(self, examples=EXAMPLES):
        return self.write_tasks(examples, "examples.jsonl")

    def shown(self):
        return json.loads(self.run_minimill("router", "show", "--json").stdout)

    def id_of(self, answered):
        return answered[1]["x-minimill-request-id"]

    def outcomes(self, request):
        status, _, body = self.request("GET", f"/minimill/v1/why/{request}")
        return json.loads(body)["requests"][0]["outcomes"] if status == 200 else []

    def why(self, request):
        """What `minimill why` prints, once the request is in the ledger."""
        return eventually(lambda: self.run_minimill("why", request, check=False).stdout, "the request is in the ledger")

    def outcome(self, request, kind):
        def there():
            return next((each for each in self.outcomes(request) if each["kind"] == kind), None)
        return eventually(there, f"an outcome '{kind}'")


class Deciding(Routed):
    def route(self, text, model="auto", headers=None):
        status, _, body = self.request("POST", "/v1/route",
                                       {"model": model, "messages": [{"role": "user", "content": text}]}, headers)
        return status, json.loads(body)

    def test_route_says_where_a_chat_would_go_and_carries_nothing_out(self):
        status, easy = self.route("Copy the number. Answer with only the number: 55-201")
        self.assertEqual((status, easy["lane"]), (200, "local"))
        status, hard = self.route("Prove it step by step, compare two designs and justify the plan")
        self.assertEqual((status, hard["lane"]), (200, "cloud"))
        self.assertIn("it asks for reasoning, step by step", [reason["text"] for reason in hard["reasons"]])
        self.assertLess(hard["p_local_ok"], easy["p_local_ok"])
        self.assertEqual(self.get("/minimill/v1/status")["totals"]["requests"], 0)

    def test_privacy_is_never_weighed(self):
        status, decision = self.route("Prove it step by step and justify the plan", headers={
            "x-minimill-privacy": "local-only"})
        self.assertEqual((status, decision["lane"], decision["reasons"][0]["layer"]), (200, "local", "policy"))
        status, refused = self.route("hi", "cloud", {"x-minimill-privacy": "local-only"})
        self.assertEqual(status, 403, refused)

    def test_odd_prompts_are_decided(self):
        for text in ("", "a" * 1_000_000, "\u6f22\u5b57 \u05e2\u05d1\u05e8\u05d9\u05ea \U0001f600", "\u0000\u0001"):
            self.assertEqual(self.route(text)[0], 200)


class Teaching(Routed):
    def test_examples_teach_operations_and_outcomes_that_survive_a_restart(self):
        examples = self.write_examples()
        self.assertIn("16 examples", self.run_minimill("router", "train", examples).stdout)
        self.programs[0].kill(signal.SIGTERM)
        self.serve()
        operations = {each["operation"]: each for each in self.shown()["operations"]}
        self.assertEqual(set(operations), {"ask-weather", "plan-journey"})
        self.assertGreater(operations["ask-weather"]["local"]["right"], 5)
        self.assertGreater(operations["plan-journey"]["local"]["wrong"], 5)

        evaluated = json.loads(self.run_minimill("router", "eval", examples, "--json").stdout)
        self.assertEqual(evaluated["operations_right"], 1)
        self.assertGreater(evaluated["apgr"], 0.6)
        self.assertIn("plan-journey", self.run_minimill("router", "show").stdout)

    def test_what_is_learnt_can_be_moved_to_another_machine(self):
        self.run_minimill("router", "train", self.write_examples())
        state = self.folder / "router.bin"
        self.run_minimill("router", "export", state)
        self.programs[0].kill(signal.SIGTERM)
        self.env["XDG_DATA_HOME"] = str(self.folder / "elsewhere")
        self.serve()
        self.assertEqual(self.shown()["operations"], [])
        self.assertIn("2 operations", self.run_minimill("router", "import", state).stdout)
        self.assertEqual(len(self.shown()["operations"]), 2)

    def test_what_is_no_state_is_refused_and_nothing_is_lost(self):
        self.run_minimill("router", "train", self.write_examples())
        for content in (b"", b"nonsense" * 100):
            bad = self.folder / "bad.bin"
            bad.write_bytes(content)
            refused = self.run_minimill("router", "import", bad, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("router", refused.stderr)
        self.assertEqual(len(self.shown()["operations"]), 2)

    def test_bad_examples_are_named_by_their_line(self):
        path = self.write_examples([EXAMPLES[0]])
        path.write_text(path.read_text() + "{oops\n")
        refused = self.run_minimill("router", "train", path, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("line 2", refused.stderr)
        status, _, body = self.request("POST", "/minimill/v1/router/train", {"examples": [{"prompt": 7}]})
        self.assertEqual(status, 400)
        self.assertIn("prompt", body)

    def test_damaged_state_is_kept_aside_and_the_router_starts_from_its_prior(self):
        self.run_minimill("router", "train", self.write_examples())
        self.programs[0].kill(signal.SIGTERM)
        database = sqlite3.connect(self.folder / "data" / "minimill" / "minimill.db")
        with database:
            database.execute("UPDATE states SET bytes = substr(bytes, 1, 1000) WHERE name = 'router'")
        database.close()
        self.serve()
        self.assertEqual(self.shown()["operations"], [])
        self.assertIn("starts from its prior", (self.folder / "log.txt").read_text())
        self.programs[1].kill(signal.SIGTERM)
        database = sqlite3.connect(self.folder / "data" / "minimill" / "minimill.db")
        kept = database.execute("SELECT length(bytes) FROM states WHERE name = 'router.unreadable'").fetchone()
        database.close()
        self.assertEqual(kept, (1000,))


class Outcomes(Routed):
    def test_asking_the_cloud_the_same_again_counts_against_the_device(self):
        first = self.chat("auto", "hi", max_tokens=2)
        self.assertEqual(first[1]["x-minimill-lane"], "local")
        again = self.chat("cloud", "hi", max_tokens=2)
        self.assertEqual(again[0], 200)
        outcome = self.outcome(self.id_of(first), "asked-again")
        self.assertFalse(outcome["ok"])
        after = self.chat("auto", "hi", max_tokens=2)
        self.assertLess(float(after[1]["x-minimill-probability"]), float(first[1]["x-minimill-probability"]))

    def test_the_stronger_word_tells_how_far_the_weaker_is_believed(self):
        def weight():
            return {each["kind"]: each["weight"] for each in self.shown()["outcomes"]}["asked-again"]
        before = weight()
        first = self.chat("auto", "hi", max_tokens=2)
        self.chat("cloud", "hi", max_tokens=2)
        self.outcome(self.id_of(first), "asked-again")
        status, _, body = self.request("POST", "/v1/feedback",
                                       {"request_id": self.id_of(first), "outcome": "good"})
        self.assertEqual((status, json.loads(body)["learnt"]), (200, True))
        self.assertLess(weight(), before)
        _, _, body = self.request("POST", "/v1/feedback", {"request_id": self.id_of(first), "outcome": "bad"})
        self.assertFalse(json.loads(body)["learnt"])


class Shadowed(Routed):
    def shadows(self, request):
        """What the ledger has of the comparing, by the request it belongs to."""
        database = sqlite3.connect(f"file:{self.folder}/data/minimill/minimill.db?mode=ro", uri=True)
        rows = database.execute("SELECT lane FROM requests WHERE app = 'shadow' AND parent = ?", (request,)).fetchall()
        database.close()
        return [lane for (lane,) in rows]


class Compared(Shadowed):
    CONFIG = UNWATCHED + "[shadow]\nshare = 1.0\nusd_per_day = 1.0\n"

    def test_a_local_answer_is_compared_with_the_clouds(self):
        answered = self.chat("auto", "hi", max_tokens=2)
        self.assertEqual(answered[1]["x-minimill-lane"], "local")
        outcome = self.outcome(self.id_of(answered), "comparison")
        self.assertFalse(outcome["ok"])  # random weights say something else
        self.assertEqual(eventually(lambda: self.shadows(self.id_of(answered)), "a row of the comparison"), [1])

    def test_so_is_a_streamed_one(self):
        response = self.open_stream("auto", "hi", max_tokens=2)
        response.read()
        self.outcome(response.headers["x-minimill-request-id"], "comparison")

    def test_what_the_cloud_answered_is_tried_on_the_device(self):
        answered = self.chat("auto:quality=1", "Prove it step by step and justify the plan", max_tokens=2)
        self.assertEqual(answered[1]["x-minimill-lane"], "cloud")
        self.outcome(self.id_of(answered), "comparison")
        self.assertEqual(eventually(lambda: self.shadows(self.id_of(answered)), "a row of the comparison"), [0])

    def test_what_may_not_leave_or_was_asked_of_one_lane_is_never_compared(self):
        alone = [self.chat("auto", "hi", {"x-minimill-privacy": "local-only"}, max_tokens=2),
                 self.chat("local", "hi", max_tokens=2), self.chat("cloud", "hi", max_tokens=2)]
        compared = self.chat("auto", "hello", max_tokens=2)
        self.outcome(self.id_of(compared), "comparison")
        for answered in alone:
            self.assertEqual(self.shadows(self.id_of(answered)), [])


class Judged(Routed):
    CONFIG = UNWATCHED + '[shadow]\nshare = 1.0\nusd_per_day = 1.0\njudge = "sim-large"\n'

    def test_a_judge_that_says_neither_yes_nor_no_leaves_it_to_the_words(self):
        answered = self.chat("auto", "hi", max_tokens=2)
        self.assertIn("words", self.outcome(self.id_of(answered), "comparison")["detail"])


class Unpaid(Shadowed):
    CONFIG = UNWATCHED + "[shadow]\nshare = 1.0\nusd_per_day = 0.0\n"

    def test_without_a_budget_only_what_is_free_is_compared(self):
        paid = self.chat("auto", "hi", max_tokens=2)
        self.assertEqual(paid[1]["x-minimill-lane"], "local")
        free = self.chat("auto:quality=1", "Prove it step by step", max_tokens=2)
        self.outcome(self.id_of(free), "comparison")
        self.assertEqual(self.shadows(self.id_of(paid)), [])


class Bounded(Routed):
    CONFIG = UNWATCHED + "[[router.bound]]\nmax_loss = 0.05\nconfidence = 0.95\n"

    def test_everything_goes_out_until_evidence_shows_that_the_promise_is_kept(self):
        asked = "Copy the number. Answer with only the number: 55-201"
        answered = self.chat("auto", asked, max_tokens=2)
        self.assertEqual(answered[1]["x-minimill-lane"], "cloud")
        self.assertIn("at least 59 more are needed", self.run_minimill("router", "show").stdout)
        self.assertIn("wanted: more than any", self.why(self.id_of(answered)))

        compared = [{"prompt": asked, "local_ok": True, "cloud_ok": True}] * 60
        self.run_minimill("router", "train", self.write_examples(compared))
        [bound] = self.shown()["bounds"]
        self.assertEqual((bound["kept"], bound["audits"], bound["missing"]), (True, 60, 0))
        self.assertEqual(self.chat("auto", asked, max_tokens=2)[1]["x-minimill-lane"], "local")
