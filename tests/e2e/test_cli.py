"""The command line: help, configuration, models, errors."""

import json
import pathlib
import socket

from support import MinimillTest


class Cli(MinimillTest):
    def test_every_command_has_help(self):
        top = self.run_minimill("--help").stdout
        for command in ("serve", "run", "ask", "task", "outbox", "report", "why", "status", "pull", "models", "config", "sim-cloud",
                        "completion", "version"):
            self.assertIn(command, top)
            self.assertIn("Usage", self.run_minimill(command, "--help").stdout)

    def test_wrong_usage_exits_2(self):
        self.assertEqual(self.run_minimill("nonsense", check=False).returncode, 2)

    def test_unknown_key_is_refused_with_line_and_suggestion(self):
        self.config.write_text('[local]\nmodell = "x"\n')

        done = self.run_minimill("config", "check", check=False)

        self.assertEqual(done.returncode, 1)
        self.assertIn("minimill.toml:2", done.stderr)
        self.assertIn("did you mean 'model'", done.stderr)

    def test_shown_configuration_reads_back(self):
        shown = self.run_minimill("config", "show").stdout
        self.config.write_text(shown)

        self.assertEqual(self.run_minimill("config", "show").stdout, shown)

    def test_occupied_port_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = self.run_minimill("serve", "--listen", f"127.0.0.1:{port}", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"127.0.0.1:{port} is taken", done.stderr)

    def test_address_beyond_this_machine_is_refused(self):
        done = self.run_minimill("serve", "--listen", "0.0.0.0:0", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not a loopback address", done.stderr)

    def test_second_daemon_on_the_folder_is_refused(self):
        self.serve()
        done = self.run_minimill("serve", "--listen", "127.0.0.1:0", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another minimill", done.stderr)

    def test_model_is_taken_from_a_path_and_listed(self):
        self.run_minimill("pull", self.model)

        models = json.loads(self.run_minimill("models", "--json").stdout)["models"]

        self.assertEqual([model["name"] for model in models], ["tiny"])

    def test_file_that_is_no_model_is_refused(self):
        fake = self.folder / "page.gguf"
        fake.write_text("<!DOCTYPE html>")

        done = self.run_minimill("pull", fake, check=False)

        self.assertEqual(done.returncode, 1)
        self.assertIn("not a GGUF: it begins with '<!DOCTYPE", done.stderr)

    def test_ask_answers_on_the_device(self):
        answer = json.loads(self.run_minimill("ask", "-m", "local", "--max-tokens", "4", "--json", "Say hello").stdout)
        self.assertEqual((answer["lane"], answer["completion_tokens"]), ("local", 4))

    def test_completion_knows_the_subcommands(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("sim-cloud", self.run_minimill("completion", shell).stdout)

    def test_status_without_a_daemon_says_how_to_start_one(self):
        done = self.run_minimill("status", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("minimill serve", done.stderr)

    def test_example_file_is_valid(self):
        path = pathlib.Path(__file__).parents[2] / "examples" / "week.jsonl"
        tasks = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertGreater(len(tasks), 180)
        self.assertEqual({task["day"] for task in tasks}, set(range(7)))
        self.assertTrue(all("check" in task for task in tasks))
