//! A nats-server of a test's own, with the project's configuration, that can be killed, restarted and damaged.

use crate::{TestProcess, required};
use async_nats::Client;
use rand::Rng;
use socketing_nats::{NatsConfig, Subscription, connect, jetstream};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// Below the range that outgoing connections take their ports from, so that a stopped server finds its port free again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Servers tried until one gets its port.
const ATTEMPTS_MAX: usize = 20;
const STARTUP_MAX: Duration = Duration::from_secs(20);

/// A server with its files; both are gone with this value.
#[derive(Debug)]
pub struct TestNats {
    /// For readers, who may not publish events.
    pub url: String,
    /// For the relay.
    pub relay_url: String,
    name: String,
    port: u16,
    files: TempDir,
    process: TestProcess,
}

impl TestNats {
    /// Starts the server that `SOCKETING_TEST_NATS_SERVER` names.
    ///
    /// # Panics
    /// If there is none, or it doesn't start.
    pub async fn start() -> TestNats {
        tokio::task::spawn_blocking(TestNats::start_blocking).await.expect("start a NATS server")
    }

    fn start_blocking() -> TestNats {
        let files = TempDir::new().expect("make a folder for NATS");
        let name = format!("test-{}", Uuid::now_v7().simple());
        for _ in 0..ATTEMPTS_MAX {
            let port = rand::rng().random_range(PORTS);
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                continue;
            }
            let mut process = launch(&name, port, files.path());
            if is_ready(&mut process, &name, port) {
                let url = |user: &str| format!("nats://{user}:{}@127.0.0.1:{port}", password(user));
                return TestNats { url: url("reader"), relay_url: url("relay"), name, port, files, process };
            }
        }
        panic!("no NATS server started:\n{}", log_of(files.path()));
    }

    /// A client of the reader's user.
    pub async fn reader(&self) -> Client {
        self.client("reader", &self.url).await
    }

    /// What a process of readers subscribes with.
    pub async fn subscription(&self) -> Subscription {
        Subscription::start(jetstream(&self.reader().await))
    }

    /// A client of the relay's user.
    pub async fn relay(&self) -> Client {
        self.client("relay", &self.relay_url).await
    }

    async fn client(&self, name: &str, url: &str) -> Client {
        connect(&NatsConfig { url: url.to_owned(), name: name.to_owned() }).await.expect("make a NATS client")
    }

    /// Kills the server at once, as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the server in good order: what it has confirmed is in its files.
    ///
    /// # Panics
    /// If it doesn't end.
    pub fn stop(&mut self) {
        self.process.terminate().expect("NATS ends");
    }

    /// Starts the killed server again, on the same port with the same files.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.name, self.port, self.files.path());
        assert!(is_ready(&mut self.process, &self.name, self.port), "NATS didn't start again:\n{}", log_of(self.files.path()));
    }

    /// Deletes everything that JetStream has stored. Kill the server first.
    pub fn empty_store(&self) {
        fs::remove_dir_all(store(self.files.path())).expect("delete JetStream's files");
    }

    /// The files that hold the messages of a stream, oldest first.
    #[must_use]
    pub fn blocks(&self, stream: &str) -> Vec<PathBuf> {
        let folder = store(self.files.path()).join("jetstream/$G/streams").join(stream).join("msgs");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("read {}: {error}", folder.display()));
        let mut blocks: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "blk")).collect();
        blocks.sort_by_key(|path| path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok()));
        blocks
    }

    /// Keeps a copy of everything that JetStream has stored, to go back to with [`TestNats::put_back`]. Kill the server
    /// first.
    #[must_use]
    pub fn copy_store(&self) -> TempDir {
        let copy = TempDir::new().expect("make a folder for the copy");
        copy_folder(&store(self.files.path()), copy.path());
        copy
    }

    /// Puts an older state of JetStream's files back: what a power cut does to a tail that wasn't synced. Kill the server
    /// first.
    pub fn put_back(&self, copy: &TempDir) {
        self.empty_store();
        copy_folder(copy.path(), &store(self.files.path()));
    }
}

fn store(files: &Path) -> PathBuf {
    files.join("store")
}

fn log_of(files: &Path) -> String {
    fs::read_to_string(files.join("log")).unwrap_or_default()
}

/// Fixed: the server listens on loopback, for one test.
fn password(user: &str) -> String {
    format!("{user}Secret")
}

fn launch(name: &str, port: u16, files: &Path) -> TestProcess {
    let program = PathBuf::from(required("SOCKETING_TEST_NATS_SERVER"));
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nats/server.conf");
    let arguments: Vec<String> = [
        ("--config", configuration.display().to_string()),
        ("--name", name.to_owned()),
        ("--addr", "127.0.0.1".to_owned()),
        ("--port", port.to_string()),
        ("--store_dir", store(files).display().to_string()),
    ]
    .into_iter()
    .flat_map(|(flag, value)| [flag.to_owned(), value])
    .collect();
    let (relay, reader) = (password("relay"), password("reader"));
    let environment = [("SOCKETING_NATS_RELAY_PASSWORD", relay.as_str()), ("SOCKETING_NATS_READER_PASSWORD", reader.as_str())];
    TestProcess::start(&program, &arguments, &environment, &files.join("log")).expect("start nats-server")
}

/// Whether the server that answers on the port is this one.
fn is_ready(process: &mut TestProcess, name: &str, port: u16) -> bool {
    let deadline = Instant::now() + STARTUP_MAX;
    while process.is_running() && Instant::now() < deadline {
        if greeting(port).is_ok_and(|greeting| greeting.contains(name)) {
            return true;
        }
        sleep(Duration::from_millis(5));
    }
    false
}

fn greeting(port: u16) -> std::io::Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a folder");
    for entry in fs::read_dir(from).expect("read a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("copy a file");
        }
    }
}
