"""What the cloud answered is learnt, and answered on the device: real binary, simulated cloud."""

import json
import random

from support import MinimillTest, eventually

QUEUES = {
    "card_arrival": ["my new card has not arrived", "when will the card be delivered", "the card is still in the post",
                     "waiting for my card to arrive", "has the card been sent out yet"],
    "change_pin": ["how do I change my pin", "I want another pin code", "where can the pin be set anew",
                   "my pin must be changed", "choose a new pin number for me"],
    "exchange_rate": ["what is the exchange rate for euros", "the rate you used is wrong", "which currency rate applies",
                      "how are exchange rates found", "is the dollar rate good today"],
}
OPENINGS = ["Hello,", "Good morning,", "Hi there,", "Dear team,", "Please help:", "A question:", "Once more:"]
ENDINGS = ["Thanks!", "Regards, Ann", "Please answer soon.", "Best wishes", "I am in a hurry.", "Bye", "Yours, Tom"]
ASK = "Which queue does it belong to? Answer with exactly one of: card_arrival, change_pin, exchange_rate."
OTHER_ASK = "Which team is this for? Answer with exactly one of: post, security, treasury, nobody."
MARK = "quokkamark"


def mail(chance, queue):
    return f"From: customer\n\n{chance.choice(OPENINGS)} {chance.choice(QUEUES[queue])}. {chance.choice(ENDINGS)}"


def triage(name, text, queue, ask=ASK, arrives_s=0.0):
    return {"id": name, "day": 0, "arrives_s": arrives_s, "title": "Triage this customer mail",
            "notes": f"{text}\n\n{ask}", "check": {"type": "equals", "value": queue}}


class Distill(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config("[router]\nthreshold = 1.0\nthreshold_checked = 1.0\n")  # no language model on the device
        chance = random.Random(7)
        self.tasks = []
        for i in range(120):
            queue = chance.choice(list(QUEUES))
            self.tasks.append(triage(f"t-{i:03}", mail(chance, queue), queue, arrives_s=0.1 * i))
        self.later = [
            triage("known", mail(chance, "change_pin"), "change_pin"),
            triage("unseen-answers", mail(chance, "change_pin"), "security", ask=OTHER_ASK),
            triage("misleading", mail(chance, "change_pin"), "exchange_rate"),
        ]

    def learn(self):
        """The report of a run in which the operation is learnt."""
        file = self.write_tasks(self.tasks)
        return json.loads(self.run_minimill("run", file, "--cloud", "sim", "--speed", 1, "--json").stdout)

    def serve_with_gold(self):
        gold = self.write_tasks(self.later, "gold.jsonl")
        self.write_config("[router]\nthreshold = 1.0\nthreshold_checked = 1.0\n"
                          f'[sim_cloud]\nenabled = true\np_correct = 1.0\ngold = "{gold}"\n'
                          "first_token_ms = 5\ntokens_per_second = 0\n")
        return self.serve()

    def done(self, task):
        """Adds the task; what it came to."""
        self.run_minimill("task", "add", task["title"], "--id", task["id"], "--notes", task["notes"],
                          "--check", json.dumps(task["check"]))

        def ended():
            shown = json.loads(self.run_minimill("task", "show", task["id"], "--json").stdout)
            return shown if shown["state"] in ("done", "failed") else None

        return eventually(ended, f"{task['id']} ends")

    def test_operation_of_closed_answers_becomes_local_and_why_names_the_rung(self):
        report = self.learn()

        self.assertGreater(report["all"]["by_micro_model"], 30)
        self.assertEqual(report["all"]["failed"], 0)
        skills = json.loads(self.run_minimill("skill", "list", "--json").stdout)["skills"]
        self.assertEqual([each["operation"] for each in skills], ["triage-this-customer-mail"])
        self.assertIn(skills[0]["state"], ("on trial", "proven"))
        self.assertGreater(skills[0]["answered"], 30)
        local = [each for each in self.answered_by("micro-model")]
        said = self.run_minimill("why", local[-1]["id"]).stdout
        self.assertIn("answered by a micro-model learnt from", said)
        self.assertIn("on micro-model", said)
        self.assertIn("on trial", self.run_minimill("skill", "log", "triage-this-customer-mail").stdout)

    def answered_by(self, model):
        listed = json.loads(self.run_minimill("task", "list", "--limit", 200, "--json").stdout)["tasks"]
        return [each for each in listed if each["model"] == model]

    def test_rung_outlives_a_restart_leaves_what_is_new_to_the_cloud_and_a_wrong_answer_escalates(self):
        self.learn()
        self.serve_with_gold()

        known, unseen, misleading = [self.done(task) for task in self.later]

        self.assertEqual((known["lane"], known["model"], known["answer"]), ("local", "micro-model", "change_pin"))
        self.assertEqual((unseen["lane"], unseen["answer"]), ("cloud", "security"))
        self.assertIn("novel", self.run_minimill("why", "unseen-answers").stdout)
        self.assertEqual((misleading["lane"], misleading["answer"]), ("cloud", "exchange_rate"))
        self.assertTrue(misleading["escalated"])

        self.run_minimill("skill", "pin", "triage-this-customer-mail", "cloud")
        pinned = self.done({**self.later[0], "id": "pinned"})
        self.assertEqual(pinned["lane"], "cloud")

    def test_damaged_model_is_set_aside_and_learnt_again_from_the_traces(self):
        self.learn()
        models = self.folder / "data" / "minimill" / "micro-models"
        file = next(models.glob("*.skill"))
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        file.write_bytes(file.read_bytes()[:-40])

        self.serve_with_gold()

        skills = json.loads(self.run_minimill("skill", "list", "--json").stdout)["skills"]
        self.assertGreater(skills[0]["examples"], 60)
        self.assertIn("set aside", (self.folder / "log.txt").read_text())

    def test_purge_leaves_no_byte_and_without_a_rule_nothing_of_an_app_is_kept(self):
        chance = random.Random(3)
        self.serve_with_gold()
        headers = {"User-Agent": "mailer"}

        def ask(text):
            status, _, body = self.chat("auto", f"{text}\n\n{ASK}", headers)
            self.assertEqual(status, 200, body)

        def marked_files():
            return sorted(path.name for path in self.folder.glob("data/minimill/**/*")
                          if path.is_file() and MARK.encode() in path.read_bytes())

        for _ in range(30):  # until they are known as one operation
            ask(mail(chance, "change_pin"))
        ask(f"{mail(chance, 'change_pin')} {MARK}")
        missed = json.loads(self.run_minimill("skill", "list", "--json").stdout)["not_kept"]
        self.assertEqual([each["app"] for each in missed], ["mailer"])
        self.assertEqual(marked_files(), [])

        self.run_minimill("trace", "keep", "mailer", "30d")
        for i in range(30):
            queue = chance.choice(list(QUEUES))
            ask(f"{mail(chance, queue)} {MARK if i % 3 == 0 else ''}")
        eventually(marked_files, "the traces are on disk")
        listed = json.loads(self.run_minimill("trace", "list", "--app", "mailer", "--json").stdout)
        self.assertGreater(len(listed["traces"]), 20)
        purged = json.loads(self.run_minimill("trace", "purge", "--app", "mailer", "--json").stdout)

        self.assertGreater(purged["purged"], 20)
        self.assertEqual(marked_files(), [])
        self.assertEqual(json.loads(self.run_minimill("trace", "list", "--json").stdout)["traces"], [])
