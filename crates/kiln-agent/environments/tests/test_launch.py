"""The advice to jobs whose machine lacks what they want."""

import unittest
from unittest import mock

from kiln_environment import launch


class MpiAdvice(unittest.TestCase):
    """What is said of MPI."""

    def advice(self, enabled, there):
        """The advice on a machine with these programs."""
        with mock.patch("shutil.which", lambda program: program if program in there else None):
            return launch.advice_on_mpi({"sagemaker_mpi_enabled": enabled} if enabled else {})

    def test_only_a_job_that_wants_mpi_is_told_what_is_missing(self):
        self.assertIsNone(self.advice(None, ()))
        self.assertIsNone(self.advice("false", ()))
        self.assertIsNone(self.advice("true", launch.MPI_PROGRAMS))
        self.assertIn("no mpirun and no /usr/sbin/sshd.", self.advice("true", ()))
        self.assertIn("no mpirun.", self.advice("true", ("/usr/sbin/sshd",)))


if __name__ == "__main__":
    unittest.main()
