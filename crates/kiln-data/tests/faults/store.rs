//! A store on a free port that does to its answers what a test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use crc_fast::CrcAlgorithm;
use kiln_data::{Credentials, Objects, Patience, Transport};
use md5::Digest;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What is done to the answer of one request.
#[derive(Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection is closed, and nothing was done.
    HangUp,
    /// Everything is done, and the connection is closed without an answer.
    LoseAnswer,
    /// An error.
    Refuse(&'static str, &'static str),
    /// The connection is closed after so many bytes of the body.
    CutAfter(usize),
    /// Not a byte comes after so many of the body, and the connection stays.
    StallAfter(usize),
    /// This byte of the body is another.
    Damage(usize),
    /// The range that was asked for is not heeded.
    WholeBody,
    /// The object is replaced before the answer.
    Replace(&'static [u8]),
}

/// A request as it came.
pub struct Seen {
    pub method: String,
    pub url: Url,
    pub headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Seen {
    fn key(&self) -> String {
        let path = self.url.path().strip_prefix("/b/").unwrap_or_default();
        percent_decoded(path)
    }

    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = self.url.query_pairs();
        Some(pairs.find(|(key, _)| key == name)?.1.into_owned())
    }
}

fn percent_decoded(path: &str) -> String {
    let encoded = format!("x={}", path.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(encoded.as_bytes());
    pairs.next().unwrap().1.into_owned()
}

#[derive(Default)]
struct State {
    bodies: BTreeMap<String, Vec<u8>>,
    /// Tags that are not the MD5 of the body.
    tags: BTreeMap<String, String>,
    parts: Option<BTreeMap<u16, Vec<u8>>>,
    faults: VecDeque<Fault>,
    seen: Vec<Seen>,
    with_checksums: bool,
}

/// A store of one bucket, `b`.
#[derive(Clone)]
pub struct Store {
    state: Arc<Mutex<State>>,
    address: String,
}

impl Store {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let store = Self {
            state: Arc::default(),
            address: format!("http://{}", listener.local_addr().unwrap()),
        };
        store.state.lock().unwrap().with_checksums = true;
        let serving = store.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        store
    }

    /// A client whose patience ends soon.
    pub fn client(&self) -> Objects {
        let keys = Credentials {
            access_key: "id".to_owned(),
            secret_key: "secret".to_owned(),
            session_token: None,
        };
        let http = Objects::http_client(Transport::Plain).unwrap();
        let address = self.address.clone();
        let location = Arc::new(move || Ok(address.clone()));
        Objects::new(http, location, "us-east-1", &keys)
            .with_patience(Patience {
                unanswered: Some(Duration::from_secs(2)),
                troubled: Duration::from_secs(2),
                stalled: Duration::from_millis(400),
            })
            .with_kms_key(Some("key"))
    }

    pub fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        let mut state = self.state.lock().unwrap();
        state.bodies.insert(key.to_owned(), body.into());
    }

    pub fn body(&self, key: &str) -> Option<Vec<u8>> {
        self.state.lock().unwrap().bodies.get(key).cloned()
    }

    pub fn without_checksums(&self) {
        self.state.lock().unwrap().with_checksums = false;
    }

    /// What is done to the answers of the next requests.
    pub fn then(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.extend(faults);
    }

    pub fn seen<T>(&self, each: impl Fn(&Seen) -> T) -> Vec<T> {
        self.state.lock().unwrap().seen.iter().map(each).collect()
    }

    /// The ranges that were asked for, and "" for whole objects.
    pub fn ranges(&self) -> Vec<String> {
        self.seen(|seen| seen.headers.get("range").cloned().unwrap_or_default())
    }

    async fn serve(self, connection: TcpStream) -> Option<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let request = receive(&mut connection).await?;
            let (fault, answer) = self.state.lock().unwrap().answer(request);
            send(connection.get_mut(), &fault, answer).await?;
        }
    }
}

async fn receive(connection: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first()?.split(' ');
    let method = words.next()?.to_owned();
    let url = Url::parse(&format!("http://store{}", words.next()?)).ok()?;
    let pairs = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> = pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or("0", String::as_str);
    let mut body = vec![0; length.parse().ok()?];
    connection.read_exact(&mut body).await.ok()?;
    Some(Seen {
        method,
        url,
        headers,
        body,
    })
}

struct Answer {
    status: &'static str,
    headers: String,
    length: usize,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: String::new(),
            length: body.len(),
            body,
        }
    }

    fn error(status: &'static str, code: &str) -> Self {
        let text = format!("<Error><Code>{code}</Code><Message>It said {code}</Message></Error>");
        Self::new(status, text)
    }
}

async fn send(connection: &mut TcpStream, fault: &Fault, mut answer: Answer) -> Option<()> {
    let mut sent = answer.body.len();
    match fault {
        Fault::HangUp | Fault::LoseAnswer => return None,
        Fault::CutAfter(bytes) | Fault::StallAfter(bytes) => sent = *bytes,
        Fault::Damage(at) => answer.body[*at] ^= 1,
        _ => {}
    }
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-length: {}\r\n{}\r\n",
        answer.status, answer.length, answer.headers
    );
    connection.write_all(head.as_bytes()).await.ok()?;
    connection.write_all(&answer.body[..sent]).await.ok()?;
    if matches!(fault, Fault::StallAfter(_)) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    (sent == answer.body.len()).then_some(())
}

impl State {
    fn answer(&mut self, request: Seen) -> (Fault, Answer) {
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        let answer = match &fault {
            Fault::HangUp => Answer::new("200 OK", ""),
            Fault::Refuse(status, code) => Answer::error(status, code),
            Fault::Replace(body) => {
                self.bodies.insert(request.key(), body.to_vec());
                self.perform(&request, false)
            }
            Fault::WholeBody => self.perform(&request, true),
            _ => self.perform(&request, false),
        };
        self.seen.push(request);
        (fault, answer)
    }

    fn perform(&mut self, request: &Seen, whole: bool) -> Answer {
        let upload = request.query("uploadId").is_some();
        match request.method.as_str() {
            "GET" if request.query("list-type").is_some() => self.list(request),
            "GET" => self.read(request, whole),
            "HEAD" => {
                let mut answer = self.read(request, true);
                answer.body.clear();
                answer
            }
            "PUT" if upload => self.keep_part(request),
            "PUT" => {
                self.bodies.insert(request.key(), request.body.clone());
                Answer::new("200 OK", "")
            }
            "POST" if upload => self.complete(request),
            "POST" => {
                self.parts = Some(BTreeMap::new());
                Answer::new(
                    "200 OK",
                    "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                     <UploadId>up</UploadId></InitiateMultipartUploadResult>",
                )
            }
            _ => {
                self.bodies.remove(&request.key());
                Answer::new("204 No Content", "")
            }
        }
    }

    fn list(&self, request: &Seen) -> Answer {
        let prefix = request.query("prefix").unwrap_or_default();
        let after = request.query("continuation-token").unwrap_or_default();
        let named = |key: &&String| key.starts_with(&prefix) && **key > after;
        let keys: Vec<&String> = self.bodies.keys().filter(named).collect();
        // Pages of two, so that there are several.
        let contents = keys.iter().take(2).map(|key| {
            let size = self.bodies[*key].len();
            format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>")
        });
        let contents: String = contents.collect();
        let more = match keys.len() > 2 {
            true => format!(
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>",
                keys[1]
            ),
            false => "<IsTruncated>false</IsTruncated>".to_owned(),
        };
        Answer::new(
            "200 OK",
            format!(
                "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{contents}{more}\
                 </ListBucketResult>"
            ),
        )
    }

    fn read(&self, request: &Seen, whole: bool) -> Answer {
        let key = request.key();
        let Some(body) = self.bodies.get(&key) else {
            return Answer::error("404 Not Found", "NoSuchKey");
        };
        let tag = self.tags.get(&key).cloned().unwrap_or_else(|| tag_of(body));
        if request
            .headers
            .get("if-match")
            .is_some_and(|asked| asked.trim_matches('"') != tag)
        {
            return Answer::error("412 Precondition Failed", "PreconditionFailed");
        }
        let range = request.headers.get("range").filter(|_| !whole);
        let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let mut answer = match range {
            Some((first, last)) => {
                let last = last.parse().unwrap_or(body.len() - 1).min(body.len() - 1);
                Answer::new("206 Partial Content", &body[first.parse().unwrap()..=last])
            }
            None => Answer::new("200 OK", body.as_slice()),
        };
        answer.headers = format!("etag: \"{tag}\"\r\n");
        if self.with_checksums && request.headers.contains_key("x-amz-checksum-mode") {
            let sum = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body);
            let sum = base64::engine::general_purpose::STANDARD.encode(sum.to_be_bytes());
            answer.headers += &format!("x-amz-checksum-crc64nvme: {sum}\r\n");
        }
        answer
    }

    fn keep_part(&mut self, request: &Seen) -> Answer {
        let Some(parts) = &mut self.parts else {
            return Answer::error("404 Not Found", "NoSuchUpload");
        };
        let number = request.query("partNumber").unwrap().parse().unwrap();
        parts.insert(number, request.body.clone());
        let mut answer = Answer::new("200 OK", "");
        answer.headers = format!("etag: \"{}\"\r\n", md5_of(&request.body));
        answer
    }

    fn complete(&mut self, request: &Seen) -> Answer {
        let Some(parts) = self.parts.take() else {
            return Answer::error("404 Not Found", "NoSuchUpload");
        };
        let sums: Vec<u8> = parts.values().flat_map(md5::Md5::digest).collect();
        let tag = format!("{}-{}", md5_of(&sums), parts.len());
        self.tags.insert(request.key(), tag);
        self.bodies
            .insert(request.key(), parts.into_values().flatten().collect());
        Answer::new("200 OK", "<CompleteMultipartUploadResult/>")
    }
}

fn md5_of(bytes: &[u8]) -> String {
    let digits = md5::Md5::digest(bytes);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tag of a body that was stored at once; MD5 is slow in a test's build.
fn tag_of(body: &[u8]) -> String {
    match body.len() > 1 << 20 {
        true => format!("{:x}", crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body)),
        false => md5_of(body),
    }
}
