//! A PostgreSQL server of a test's own, which can be stopped as a crash does and started again.

use crate::required;
use rand::Rng;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Below the range that outgoing connections take their ports from.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// The usual id of `nobody`: the server refuses to run as root.
const NOBODY: u32 = 65_534;
/// Seconds that a server may take to start after a crash.
const START_SECONDS: &str = "60";
/// Seconds that it may take to stop at once.
const STOP_SECONDS: &str = "6";
/// How often it is tried to start it.
const START_TRIES_MAX: usize = 10;
/// How long a killed process may still be there.
const KILLED_MAX: Duration = Duration::from_secs(20);

/// A server with its files; both are gone with this value.
#[derive(Debug)]
pub struct TestPostgres {
    /// Its first database.
    pub url: String,
    files: TempDir,
    port: u16,
    user: Option<u32>,
}

impl TestPostgres {
    /// Makes and starts one with the programs that `SOCKETING_TEST_PG_BIN` names. It keeps what it has committed when it
    /// crashes (only a power cut could lose that, so it doesn't wait for the disk).
    ///
    /// # Panics
    /// If it can't.
    #[must_use]
    pub fn start() -> TestPostgres {
        let files = TempDir::new().expect("make a folder for PostgreSQL");
        let is_root = fs::metadata(files.path()).expect("look at the folder").uid() == 0;
        let user = is_root.then_some(NOBODY);
        if let Some(user) = user {
            chown(files.path(), Some(user), Some(user)).expect("give the folder to the server's user");
        }
        let port = free_port();
        let server = TestPostgres { url: format!("postgres://postgres@127.0.0.1:{port}/postgres"), files, port, user };
        let data = server.data().display().to_string();
        server
            .run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
            .expect("make a cluster");
        let sockets = server.files.path().display();
        let settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{sockets}'\nfsync = off\nmax_connections = 300\n"
        );
        let file = server.data().join("postgresql.conf");
        let ours = fs::read_to_string(&file).expect("read the settings") + &settings;
        fs::write(&file, ours).expect("write the settings");
        server.start_again();
        server
    }

    /// Stops it as a crash does: no checkpoint, every session is cut.
    ///
    /// # Panics
    /// If it can't be stopped.
    pub fn stop_immediately(&self) {
        let data = self.data().display().to_string();
        if self.run("pg_ctl", &["-D", &data, "-s", "stop", "-m", "immediate", "-t", STOP_SECONDS]).is_ok() {
            return;
        }
        // PostgreSQL 15 may wait a minute for a child that has ended already.
        let id = fs::read_to_string(self.data().join("postmaster.pid")).expect("read the server's process id");
        let id = id.lines().next().expect("a process id");
        assert!(signal("-9", id), "kill PostgreSQL, process {id}");
        // Its end takes a moment, in which its files are its own.
        let until = Instant::now() + KILLED_MAX;
        while signal("-0", id) {
            assert!(Instant::now() < until, "PostgreSQL, process {id}, is still there after it was killed");
        }
    }

    /// Starts it again; it recovers from its log.
    ///
    /// # Panics
    /// If it doesn't.
    pub fn start_again(&self) {
        let data = self.data().display().to_string();
        let log = self.files.path().join("log").display().to_string();
        let start = || self.run("pg_ctl", &["-D", &data, "-s", "start", "-w", "-t", START_SECONDS, "-l", &log]);
        // Killed, it leaves children behind for a moment, next to whom no other starts.
        let failures: Vec<String> = (0..START_TRIES_MAX).map_while(|_| start().err()).collect();
        assert!(failures.len() < START_TRIES_MAX, "{}", failures.join("\n"));
    }

    /// Whether its files outlive this value, for whoever looks into a failure; says where they are.
    pub fn keep_files(&mut self, kept: bool) -> String {
        self.files.disable_cleanup(kept);
        self.files.path().display().to_string()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.files.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.files.path().join("data")
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(&required("SOCKETING_TEST_PG_BIN")).join(program));
        command.args(arguments).current_dir(self.files.path());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Runs one of the server's programs to its end. What it says goes to a file: a server that it starts inherits it.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let said = self.files.path().join("said");
        let output = fs::File::create(&said).expect("make a file");
        let errors = output.try_clone().expect("share the file");
        let status = self.command(program, arguments).stdout(output).stderr(errors).status();
        let status = status.unwrap_or_else(|error| panic!("run {program}: {error}"));
        let said = fs::read_to_string(&said).unwrap_or_default();
        if status.success() { Ok(()) } else { Err(format!("{program} {arguments:?}: {status}\n{said}")) }
    }
}

/// Sends a process a signal; false if there is no such process.
fn signal(signal: &str, process: &str) -> bool {
    Command::new("kill").args([signal, process]).output().is_ok_and(|done| done.status.success())
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        let data = self.data().display().to_string();
        let stopped = self.command("pg_ctl", &["-D", &data, "-s", "stop", "-m", "immediate"]).output();
        if !stopped.is_ok_and(|output| output.status.success()) {
            eprintln!("PostgreSQL on port {} had stopped before", self.port);
        }
    }
}

fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(PORTS);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
