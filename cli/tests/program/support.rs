//! A whole system of a test's own: a database, a NATS server, and the built program serving on a free port.

use rand::Rng;
use serde_json::Value;
use socketing_tests::{TestDb, TestNats, TestProcess, eventually};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use tokio::task::{JoinHandle, spawn_blocking};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_socketing");

/// Below the range that outgoing connections take their ports from.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A database and a NATS server, and where programs find them.
pub(crate) struct Servers {
    pub(crate) db: TestDb,
    pub(crate) nats: TestNats,
    files: TempDir,
}

/// A running `socketing serve`.
pub(crate) struct Serving {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) process: TestProcess,
}

/// How a process is started.
#[derive(Clone)]
pub(crate) struct Launch {
    /// What it is called here.
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) port: u16,
    pub(crate) database_url: String,
    /// Further variables of its environment.
    pub(crate) more: Vec<(String, String)>,
}

impl Servers {
    pub(crate) async fn start() -> Servers {
        let (db, nats) = tokio::join!(TestDb::new(), TestNats::start());
        Servers::with(db, nats)
    }

    pub(crate) fn with(db: TestDb, nats: TestNats) -> Servers {
        Servers { db, nats, files: TempDir::new().expect("make a folder") }
    }

    /// Starts one process of this role and waits until it is ready.
    pub(crate) async fn serve(&self, role: &str) -> Serving {
        self.serve_on(free_port(), role).await
    }

    /// The same, on this port.
    pub(crate) async fn serve_on(&self, port: u16, role: &str) -> Serving {
        self.serve_with(port, role, &[]).await
    }

    /// The same, with these variables too.
    pub(crate) async fn serve_with(&self, port: u16, role: &str, more: &[(&str, &str)]) -> Serving {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut serving = self.launch(&Launch { port, more, ..self.launch_of(role) });
        self.ready(&mut serving).await;
        serving
    }

    /// Starts one process of this role, ready or not.
    pub(crate) fn begin_to_serve(&self, role: &str) -> Serving {
        self.launch(&self.launch_of(role))
    }

    /// How a process of this role is started, under its role's name, on a free port.
    pub(crate) fn launch_of(&self, role: &str) -> Launch {
        Launch { name: role.to_owned(), role: role.to_owned(), port: free_port(), database_url: self.db.url.clone(), more: Vec::new() }
    }

    /// Starts a process.
    pub(crate) fn launch(&self, launch: &Launch) -> Serving {
        let listen = format!("127.0.0.1:{}", launch.port);
        let arguments = ["serve", "--role", &launch.role, "--password-threads", "2", "--reconnect-seconds", "1", "--snapshot-events", "50"];
        let arguments = arguments.map(str::to_owned);
        let environment = [
            ("SOCKETING_DATABASE_URL", launch.database_url.as_str()),
            ("SOCKETING_NATS_URL", &self.nats.url),
            ("SOCKETING_NATS_RELAY_URL", &self.nats.relay_url),
            ("SOCKETING_LISTEN", &listen),
            ("SOCKETING_LOG", "info,sqlx=warn"),
        ];
        let more = launch.more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let environment: Vec<(&str, &str)> = environment.into_iter().chain(more).collect();
        let log = self.log_file(&launch.name);
        let process = TestProcess::start(Path::new(PROGRAM), &arguments, &environment, &log).expect("start socketing serve");
        Serving { name: launch.name.clone(), url: format!("http://{listen}"), process }
    }

    /// Returns once a process is ready.
    pub(crate) async fn ready(&self, serving: &mut Serving) {
        let ready = format!("{}/readyz", serving.url);
        let what = format!("{} is ready; see {}", serving.name, self.log_file(&serving.name).display());
        eventually(&what, || async { reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success()) }).await;
        assert!(serving.process.is_running(), "{}", self.log(&serving.name));
    }

    /// Starts another process of the program, which logs under this name.
    pub(crate) fn spawn(&self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> TestProcess {
        let log = self.files.path().join(format!("{name}.log"));
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        TestProcess::start(Path::new(PROGRAM), &arguments, environment, &log).expect("start the program")
    }

    /// A file of the test's own.
    pub(crate) fn file(&self, name: &str) -> String {
        self.files.path().join(name).to_string_lossy().into_owned()
    }

    /// What a process of this name has logged.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_file(name)).unwrap_or_default()
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.files.path().join(format!("{name}.log"))
    }

    /// Whether the logs are kept, for whoever looks into a failure; says where they are.
    pub(crate) fn keep_logs(&mut self, kept: bool) -> String {
        self.files.disable_cleanup(kept);
        self.files.path().display().to_string()
    }

    /// A command of the program against this system.
    pub(crate) fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = plain(arguments);
        command.env("SOCKETING_URL", url).env("SOCKETING_DATABASE_URL", &self.db.url).env("SOCKETING_NATS_URL", &self.nats.url);
        command.current_dir(self.files.path());
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, url: &str, arguments: &[&str]) -> Ran {
        self.begin(url, arguments).await.expect("run socketing")
    }

    /// Begins to run it.
    pub(crate) fn begin(&self, url: &str, arguments: &[&str]) -> JoinHandle<Ran> {
        let mut command = self.command(url, arguments);
        spawn_blocking(move || Ran(command.output().expect("run socketing")))
    }

    /// `socketing verify --json`: its exit code and its report. The copies get these seconds to catch up.
    pub(crate) async fn verify(&self, patience: &str) -> (Option<i32>, Value) {
        let ran = self.run("http://127.0.0.1:9", &["verify", "--json", "--quiet", "--patience", patience]).await;
        let report = serde_json::from_str(&ran.out()).unwrap_or_else(|_| panic!("verify says: {}", ran.err()));
        (ran.code(), report)
    }
}

impl Serving {
    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL ends with a port")
    }

    /// As a crash does.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// As an operator does; the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.process.terminate().expect("send SIGTERM").code()
    }
}

/// What a command came to.
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// A command of the program that knows of no system.
pub(crate) fn plain(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null()).current_dir(std::env::temp_dir());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SOCKETING_") || name.ends_with("_URL")) {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end.
pub(crate) async fn run_plain(arguments: &[&str]) -> Ran {
    let mut command = plain(arguments);
    spawn_blocking(move || Ran(command.output().expect("run socketing"))).await.expect("run socketing")
}

pub(crate) fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(PORTS);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
