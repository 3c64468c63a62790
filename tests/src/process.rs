//! A child process that dies with its test, even if the test is killed.

use crate::eventually;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// Runs the program beside a watcher that waits for its input to end, which happens when this process lets go of it: by
/// asking, or by dying. Works on every Unix, and without unsafe code.
const WATCHED: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
program=$!
echo $program
{ read -r line <&3; kill -9 $program; } 2>/dev/null &
watcher=$!
wait $program
status=$?
kill $watcher 2>/dev/null
exit $status
"#;

/// A running program.
#[derive(Debug)]
pub struct TestProcess {
    child: Child,
    id: String,
}

impl TestProcess {
    /// Starts a program; what it prints is appended to `log`.
    ///
    /// # Errors
    /// If the log can't be written, or there is no shell.
    pub fn start(program: &Path, arguments: &[String], environment: &[(&str, &str)], log: &Path) -> io::Result<TestProcess> {
        let mut child = Command::new("sh")
            .args(["-c", WATCHED, "watched"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(append(log)?)
            .spawn()?;
        let mut id = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut id)?;
        }
        Ok(TestProcess { child, id: id.trim().to_owned() })
    }

    /// Kills it at once (`SIGKILL`) and waits until it is gone.
    pub fn kill(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }

    /// Asks it to end (`SIGTERM`) and waits until it has.
    ///
    /// # Errors
    /// If it can't be asked.
    pub fn terminate(&mut self) -> io::Result<ExitStatus> {
        // Waiting would close its input, and the watcher take that for this process's death.
        let input = self.child.stdin.take();
        Command::new("kill").args(["-TERM", &self.id]).status()?;
        let status = self.child.wait();
        drop(input);
        status
    }

    /// Stops it where it stands (`SIGSTOP`): it answers nothing, and all its connections stay open. Returns when all its
    /// threads stand: on a busy machine some still run for a while after the signal.
    ///
    /// # Panics
    /// If it can't be told, or doesn't stop.
    pub async fn pause(&self) {
        self.signal("-STOP");
        eventually("every thread of the program stands", || async { self.stands() }).await;
    }

    /// Whether all its threads are stopped, where the system has `/proc` to tell.
    fn stands(&self) -> bool {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.id)) else { return true };
        threads.flatten().all(|thread| {
            // The state follows the program's name, which is in brackets and may hold anything.
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// Lets it go on (`SIGCONT`), as if no time had passed.
    ///
    /// # Panics
    /// If it can't be told.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.id]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal} {}", self.id);
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn append(log: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(log)
}
