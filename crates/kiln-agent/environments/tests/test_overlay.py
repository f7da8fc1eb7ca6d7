"""Where an interpreter looks for packages, and where it puts new ones."""

import os
import subprocess
import sys
import tempfile
import unittest

ASK = """
import sys
sys.path.append('/shared/site-packages')
from kiln_environment import overlay
overlay.enable()
import sysconfig
paths = [path for path in sys.path if path.startswith(('/shared', sys.prefix))]
print(sys.prefix, sysconfig.get_paths()['scripts'], *paths, sep='\\n')
"""


def ask(overlay):
    environment = {"PYTHONPATH": os.environ["PYTHONPATH"]}
    if overlay:
        environment["KILN_OVERLAY"] = overlay
    command = [sys.executable, "-S", "-c", ASK]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


class Overlay(unittest.TestCase):
    def test_without_it_nothing_changes(self):
        prefix, *_ = ask(None)
        self.assertEqual(prefix, sys.base_prefix)

    def test_it_is_the_prefix_and_comes_first_whether_or_not_it_exists(self):
        with tempfile.TemporaryDirectory() as directory:
            packages = f"{directory}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
            for _ in range(2):
                prefix, scripts, *paths = ask(directory)
                self.assertEqual(prefix, directory)
                self.assertEqual(scripts, f"{directory}/bin")
                self.assertEqual(paths, [packages, "/shared/site-packages"])
                os.makedirs(packages, exist_ok=True)


if __name__ == "__main__":
    unittest.main()
