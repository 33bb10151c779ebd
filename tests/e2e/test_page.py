"""The page, how a browser gets in, the one event stream and the one aggregate."""

import gzip
import http.client
import json
import re

from support import DEADLINE_S, MinimillTest, eventually

BROWSER = {"accept": "text/html,application/xhtml+xml", "accept-encoding": "gzip"}
OWN_PAGE = {"sec-fetch-site": "same-origin"}
MOST_BYTES = 150 * 1024


class Page(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
                          "[prices.sim-large]\ninput = 10.0\noutput = 30.0\n")

    def fetch(self, path, headers=None, method="GET", body=None):
        """(status, headers, bytes)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def index(self):
        status, headers, body = self.fetch("/", BROWSER)
        self.assertEqual(status, 200)
        return headers, gzip.decompress(body).decode()

    def test_browser_gets_the_page_and_ollamas_clients_their_greeting(self):
        self.serve()
        self.assertIn("<title>minimill</title>", self.index()[1])
        self.assertEqual(self.fetch("/")[2], b"Ollama is running")
        self.assertEqual(self.fetch("/", method="HEAD")[0], 200)

    def test_page_is_small_whole_and_allowed_to_do_little(self):
        self.serve()
        headers, html = self.index()
        policy = headers["content-security-policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertIsNone(re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|https?://", html), html)
        total = len(self.fetch("/", BROWSER)[2])
        for part in re.findall(r'(?:src|href)="(/page/[^"]+)"', html):
            status, headers, body = self.fetch(part, BROWSER)
            self.assertEqual((status, headers["content-encoding"]), (200, "gzip"), part)
            self.assertIn("immutable", headers["cache-control"])
            total += len(body)
            if part.endswith(".css"):
                for font in re.findall(r"url\((/page/[^)]+)\)", gzip.decompress(body).decode()):
                    total += len(self.fetch(font, BROWSER)[2])
        self.assertLess(total, MOST_BYTES)

    def test_page_that_is_known_is_not_sent_again(self):
        self.serve()
        headers, _ = self.index()
        status, again, body = self.fetch("/", {**BROWSER, "if-none-match": headers["etag"]})
        self.assertEqual((status, body, again["etag"]), (304, b"", headers["etag"]))
        self.assertEqual(self.fetch("/page/nothing.js")[0], 404)

    def test_link_lets_one_browser_in_once_where_there_are_keys(self):
        self.serve()
        self.run_minimill("key", "add", "mail")
        floor = "/minimill/v1/floor"
        eventually(lambda: self.fetch(floor)[0] == 401, "a browser is not let in")
        self.assertEqual(self.fetch("/", BROWSER)[0], 200)  # the page itself tells what to do

        link = self.run_minimill("open", "--print").stdout.strip()
        self.assertTrue(link.startswith(f"http://127.0.0.1:{self.port}/open/"), link)
        path = link.split(str(self.port), 1)[1]
        status, headers, _ = self.fetch(path, {**BROWSER, "sec-fetch-site": "none"})
        self.assertEqual((status, headers["location"]), (303, "/"))
        cookie, *flags = headers["set-cookie"].split("; ")
        self.assertLessEqual({"HttpOnly", "SameSite=Strict", "Path=/"}, set(flags))
        self.assertEqual(self.fetch(path)[0], 403)

        known = {"cookie": cookie}
        self.assertEqual(self.fetch(floor, {**known, **OWN_PAGE})[0], 200)
        self.assertEqual(self.fetch(floor, {"cookie": cookie[:-1]})[0], 401)
        # Other pages of this machine send the cookie, too: a site is a host, whatever its port.
        self.assertEqual(self.fetch(floor, {**known, "sec-fetch-site": "same-site"})[0], 401)
        task = json.dumps({"title": "spend money"})
        sent = {**known, "content-type": "application/json"}
        for theirs in ({"origin": "http://localhost:3000", "sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}, {"origin": "null"}, {}):
            with self.subTest(theirs):
                self.assertIn(self.fetch("/minimill/v1/tasks", {**sent, **theirs}, "POST", task)[0], (401, 403))
        own = {"origin": f"http://127.0.0.1:{self.port}", **OWN_PAGE}
        self.assertEqual(self.fetch("/minimill/v1/tasks", {**sent, **own}, "POST", task)[0], 201)

    def test_session_outlives_a_restart_and_no_app_can_make_one(self):
        daemon = self.serve()
        key = self.run_minimill("key", "add", "mail").stdout.strip()
        link = self.run_minimill("open", "--print").stdout.strip()
        cookie = self.fetch(link.split(str(self.port), 1)[1])[1]["set-cookie"].split(";")[0]
        value = cookie.split("=", 1)[1]
        eventually(lambda: self.fetch("/minimill/v1/sessions", {"authorization": f"Bearer {key}"}, "POST")[0] == 403, "an app makes no link")
        daemon.close()

        self.serve()

        self.assertEqual(self.fetch("/minimill/v1/floor", {"cookie": f"minimill-{self.port}={value}"})[0], 200)

    def test_name_that_only_points_here_gets_nothing(self):
        self.serve()
        for path in ("/", "/minimill/v1/floor", "/minimill/v1/events", "/open/x"):
            with self.subTest(path):
                self.assertEqual(self.fetch(path, {**BROWSER, "host": "evil.example"})[0], 403)

    def test_open_without_a_daemon_says_how_to_start_one(self):
        done = self.run_minimill("open", "--print", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("minimill serve", done.stderr)


class Figures(MinimillTest):
    def setUp(self):
        super().setUp()
        self.write_config("[sim_cloud]\nenabled = true\nfirst_token_ms = 1\ntokens_per_second = 0\n"
                          "[prices.sim-large]\ninput = 10.0\noutput = 30.0\n")

    def events(self, last=None):
        """(id, event, data) of each as it comes; whoever asks is connected already."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        self.addCleanup(connection.close)
        connection.request("GET", "/minimill/v1/events", headers={"last-event-id": last} if last else {})
        response = connection.getresponse()
        self.assertEqual(response.headers["content-type"], "text/event-stream")
        return self.parsed(response)

    def parsed(self, response):
        fields = {}
        for line in response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield fields.get("id"), fields["event"], json.loads(fields["data"])
                fields = {}

    def ended(self, events):
        return next((number, data) for number, event, data in events if event == "ended")

    def test_request_is_told_of_while_it_runs_and_when_it_ended(self):
        self.serve()
        events = self.events()
        self.assertEqual(next(events)[1], "hello")
        stream = self.open_stream("local", "tell me a story", max_tokens=64)

        running = next(lane["requests"][0] for _, event, data in events if event == "floor"
                       for lane in data["lanes"] if lane["requests"])
        self.assertIn(running["phase"], ("loading", "reading", "writing"))
        stream.read()
        _, ended = self.ended(events)
        self.assertEqual((ended["id"], ended["lane"], ended["completion_tokens"]), (running["id"], "local", 64))

    def test_stream_is_resumed_where_it_broke_off(self):
        self.serve()
        events = self.events()
        self.chat("cloud", "first")
        number, _ = self.ended(events)
        events.close()
        for text in ("second", "third"):
            self.chat("cloud", text)

        again = self.events(last=number)
        numbers = [int(self.ended(again)[0].split("-")[1]) for _ in range(2)]
        first = int(number.split("-")[1])
        self.assertEqual(numbers, [first + 1, first + 2])
        # Another daemon's numbers mean nothing here, and what makes no sense is passed over.
        for other in ("abc-1", "x", f"{number}9999", "-1"):
            with self.subTest(other):
                self.assertEqual(next(self.events(last=other))[1], "hello")

    def test_daemon_with_an_open_page_stops_at_once(self):
        daemon = self.serve()
        events = self.events()
        next(events)
        daemon.process.terminate()
        self.assertEqual(daemon.process.wait(10), 0)

    def test_page_report_top_and_ledger_say_the_same(self):
        self.serve()
        for model in ("local", "cloud", "cloud"):
            self.assertEqual(self.chat(model, "hello", max_tokens=4)[0], 200)
        self.run_minimill("run", self.write_tasks([{"id": f"t{i}", "title": "Say yes", "check": {"type": "contains", "value": "yes"}} for i in range(4)]), "--cloud", "sim")
        requests = eventually(lambda: (lambda page: page if len(page) >= 7 else None)(self.get("/minimill/v1/requests?limit=200")["requests"]), "all are recorded")

        def settled():
            before = self.get("/minimill/v1/overview?days=30")
            return before if self.get("/minimill/v1/requests?limit=200")["requests"] and before == self.get("/minimill/v1/overview?days=30") else None

        eventually(lambda: self.get("/minimill/v1/status")["lanes"][0]["running"] == 0, "all has been carried out")
        overview = eventually(settled, "the last outcome is recorded")
        requests = self.get("/minimill/v1/requests?limit=200")["requests"]
        report = json.loads(self.run_minimill("report", "--json").stdout)
        top = json.loads(self.run_minimill("top", "--json").stdout)["overview"]
        self.assertEqual(report, overview)
        self.assertEqual(top, overview)

        every = overview["all"]
        asked = [each for each in requests if each["origin"] != "shadow"]
        self.assertEqual(every["requests"], len(asked))
        self.assertAlmostEqual(every["money"]["spent_usd"], sum(each["cost_usd"] for each in requests))
        stood = [each for each in asked if each["status"] < 400 and not (each["escalated"] and each["lane"] == "local")]
        self.assertEqual(every["answered"], len(stood))
        self.assertEqual(every["local"]["answered"], sum(each["lane"] == "local" for each in stood))
        for group in ("by_day", "by_app", "by_operation", "by_provider"):
            for figure in ("requests", "answered"):
                self.assertEqual(sum(each[figure] for each in overview[group]), every[figure], group)
            self.assertAlmostEqual(sum(each["money"]["saved_usd"] for each in overview[group]), every["money"]["saved_usd"], msg=group)
        table = self.run_minimill("report").stdout
        self.assertIn(f"{every['requests']} requests", table)
        self.assertIn("saved:", table)

    def test_what_the_page_shows_is_of_the_days_asked_for(self):
        self.serve()
        self.assertEqual(self.get("/minimill/v1/overview?days=1")["all"]["requests"], 0)
        for days in ("0", "-1", "x", "999999"):
            self.assertEqual(self.request("GET", f"/minimill/v1/overview?days={days}")[0], 400)

    def test_requests_come_in_pages_that_say_what_is_wrong_with_a_question(self):
        self.serve()
        for i in range(5):
            self.chat("cloud", f"number {i}", max_tokens=2)
        eventually(lambda: len(self.get("/minimill/v1/requests")["requests"]) == 5, "all are recorded")
        seen, after = [], ""
        while True:
            page = self.get(f"/minimill/v1/requests?limit=2{after}")
            seen += [each["id"] for each in page["requests"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        self.assertEqual((len(seen), seen), (5, sorted(seen, reverse=True)))
        self.assertEqual(self.get("/minimill/v1/requests?q=%22%27%25nothing")["requests"], [])
        for query in ("limit=0x", "limit=100000", "after=x", "lane=up", "origin=moon", "q=" + "x" * 300):
            with self.subTest(query):
                self.assertEqual(self.request("GET", f"/minimill/v1/requests?{query}")[0], 400)

    def test_app_sees_its_own_requests_alone(self):
        self.serve()
        keys = {app: self.run_minimill("key", "add", app).stdout.strip() for app in ("mail", "crm")}
        bearer = {app: {"authorization": f"Bearer {key}"} for app, key in keys.items()}
        eventually(lambda: self.request("GET", "/minimill/v1/requests")[0] == 401, "keys are known")
        self.assertEqual(self.chat("cloud", "hello", bearer["mail"], max_tokens=2)[0], 200)

        def seen_by(app):
            status, _, body = self.request("GET", "/minimill/v1/requests?app=mail", headers=bearer[app])
            self.assertEqual(status, 200)
            return [each["app"] for each in json.loads(body)["requests"]]

        eventually(lambda: seen_by("mail") == ["mail"], "its own are there")
        self.assertEqual(seen_by("crm"), [])
        for path in ("floor", "events", "overview"):
            self.assertEqual(self.request("GET", f"/minimill/v1/{path}", headers=bearer["mail"])[0], 403)

    def test_commands_without_an_argument_show_what_is_there(self):
        self.serve()
        self.assertIn("Nothing has been asked yet", self.run_minimill("why").stdout)
        self.assertIn("There is no budget", self.run_minimill("budget").stdout)
        self.run_minimill("budget", "set", "--usd-per-day", "1")
        self.assertIn("of 1.00", self.run_minimill("budget").stdout)
        self.assertEqual(len(json.loads(self.run_minimill("budget", "--json").stdout)["budgets"]), 1)
        self.chat("cloud", "hello", max_tokens=2)
        self.assertIn("minimill why req_", eventually(lambda: (lambda out: out if "req_" in out else None)(self.run_minimill("why").stdout), "it is recorded"))
        top = self.run_minimill("top", "--once").stdout
        self.assertIn("local", top)
        self.assertNotIn("\x1b", top)
