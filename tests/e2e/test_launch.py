"""`minimill env` and `minimill launch`: what apps are pointed at minimill with."""

import json
import os
import pathlib
import subprocess

from support import MinimillTest

# Plays any app: says what it was started with.
SHOWN = """#!/bin/sh
printf '%s\\n' "$0" "$(umask)" "$#" "$@"
env
"""


class Launch(MinimillTest):
    def setUp(self):
        super().setUp()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.env["PATH"] = f"{self.bin}:/usr/bin:/bin"

    def install(self, name):
        (self.bin / name).write_text(SHOWN)
        (self.bin / name).chmod(0o755)

    def apps(self):
        return json.loads(self.run_minimill("env", "--json").stdout)["apps"]

    def sourced(self, *arguments):
        """The environment of a shell that evaluates the lines."""
        lines = self.run_minimill("env", *arguments).stdout
        done = subprocess.run(["/bin/sh", "-ec", f"{lines}\nenv -0"], env=self.env, capture_output=True, text=True, check=True)
        return dict(each.split("=", 1) for each in done.stdout.split("\0") if each)

    def test_env_without_an_app_prints_what_most_read_and_all_names(self):
        shown = self.run_minimill("env").stdout

        self.assertIn("export OPENAI_BASE_URL=http://127.0.0.1:4177/v1\n", shown)
        self.assertEqual(self.sourced()["ANTHROPIC_BASE_URL"], "http://127.0.0.1:4177")
        for app in self.apps():
            self.assertIn(f"#   {app['app']} ", shown)

    def test_every_apps_lines_are_evaluated_by_a_shell_and_its_files_written(self):
        for app in self.apps():
            with self.subTest(app["app"]):
                variables = self.sourced(app["app"])

                for name, value in app["variables"].items():
                    self.assertEqual(variables[name], value)
                for file in app["files"]:
                    self.assertEqual(pathlib.Path(file["path"]).read_text(), file["text"])
                self.assertNotIn("{url}", json.dumps(app))

    def test_env_takes_the_running_daemons_address_a_model_and_a_key(self):
        self.serve()

        variables = self.sourced("aider", "--model", "auto:quality=0.9", "--key", "mm-abc")

        self.assertEqual(variables["OPENAI_API_BASE"], f"http://127.0.0.1:{self.port}/v1")
        self.assertEqual((variables["AIDER_MODEL"], variables["OPENAI_API_KEY"]), ("openai/auto:quality=0.9", "mm-abc"))

    def test_model_that_would_end_a_quotation_is_refused(self):
        for model in ('a"b', "a b", "a'b", "a\nb", ""):
            done = self.run_minimill("env", "codex", "--model", model, check=False)
            self.assertEqual(done.returncode, 1, model)
            self.assertIn("--model may have", done.stderr)

    def test_unknown_app_is_told_the_known_ones(self):
        for command in ("env", "launch"):
            done = self.run_minimill(command, "emacs", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("claude-code, codex, ", done.stderr)

    def test_launch_hands_over_variables_arguments_and_the_shells_umask(self):
        self.install("codex")
        self.serve()

        done = self.run_minimill("launch", "codex", "--model", "cloud", "--", "exec", "--json", "status",
                                 preexec_fn=lambda: os.umask(0o027))

        lines = done.stdout.splitlines()
        self.assertEqual(lines[1], "0027")
        arguments = lines[3:3 + int(lines[2])]
        self.assertEqual(arguments[-3:], ["exec", "--json", "status"])
        self.assertIn('model="cloud"', arguments)
        self.assertIn(f'base_url="http://127.0.0.1:{self.port}/v1"', " ".join(arguments))
        self.assertIn("MINIMILL_API_KEY=unused", lines)

    def test_launch_takes_away_what_would_send_the_app_elsewhere(self):
        self.install("claude")
        self.serve()
        self.env |= {"ANTHROPIC_API_KEY": "sk-theirs", "CLAUDE_CODE_USE_BEDROCK": "1", "HTTP_PROXY": "http://proxy:1",
                     "NO_PROXY": "example.com"}

        lines = self.run_minimill("launch", "claude").stdout.splitlines()

        self.assertFalse([line for line in lines if line.startswith(("ANTHROPIC_API_KEY=", "CLAUDE_CODE_USE_BEDROCK="))])
        self.assertIn("NO_PROXY=example.com,127.0.0.1,localhost", lines)

    def test_launch_writes_a_file_in_minimills_own_folder_alone(self):
        self.install("llm")
        self.serve()
        self.env["HOME"] = str(self.folder / "home")
        before = set(self.folder.rglob("*"))

        self.run_minimill("launch", "llm", "--", "models")

        made = {path for path in set(self.folder.rglob("*")) - before if path.is_file()}
        file = self.folder / "data/minimill/apps/llm/extra-openai-models.yaml"
        self.assertIn(file, made)
        self.assertFalse([path for path in made if "home" in path.parts])
        self.assertEqual(file.stat().st_mode & 0o077, 0)

    def test_missing_app_is_told_how_to_install_it(self):
        self.serve()
        self.env["PATH"] = str(self.bin)
        for app in self.apps():
            if app["program"]:
                done = self.run_minimill("launch", app["app"], check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(app["install"], done.stderr)

    def test_launch_without_a_daemon_says_how_to_start_one(self):
        self.install("claude")

        done = self.run_minimill("launch", "claude", check=False)

        self.assertEqual(done.returncode, 1)
        self.assertIn("minimill serve", done.stderr)

    def test_library_is_no_program_to_launch(self):
        done = self.run_minimill("launch", "langchain", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("minimill env langchain", done.stderr)

    def test_page_of_apps_has_every_app_with_its_lines(self):
        page = (pathlib.Path(__file__).parents[2] / "docs/apps.md").read_text()
        for app in self.apps():
            with self.subTest(app["app"]):
                self.assertIn(f"\n## {app['title']}\n", page)
                section = page.split(f"\n## {app['title']}\n")[1].split("\n## ")[0]
                self.assertIn(app["install"], section)
                for name, value in app["variables"].items():
                    self.assertIn(name, section)
                for line in [*app["code"].splitlines(), *(line for file in app["files"] for line in file["text"].splitlines())]:
                    self.assertIn(line.strip(), section)
