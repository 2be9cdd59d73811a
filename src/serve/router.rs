//! Paths, and what each request goes through: token, place in the queue, body, scoring, count and log line.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::time::timeout;

use super::reply::{Fault, json as reply};
use super::{Server, lines, openapi, openrlhf, payload};

/// The paths, which label metrics; any other is counted as `other`.
const PATHS: [&str; 5] = ["/score", "/get_reward", "/healthz", "/metrics", "/openapi.json"];

/// What the log says of a scored body.
#[derive(Clone)]
struct Tally {
    responses: usize,
    hash: u64,
}

/// All routes.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/score", post(score))
        .route("/get_reward", post(get_reward))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi_json))
        .fallback(async || {
            let message = format!("no such path, expected one of {}", PATHS.join(", "));
            reply(StatusCode::NOT_FOUND, json!({ "error": message }).to_string())
        })
        .method_not_allowed_fallback(async || {
            let message = "no such method here, expected POST for /score and /get_reward, else GET";
            reply(StatusCode::METHOD_NOT_ALLOWED, json!({ "error": message }).to_string())
        })
        .layer(from_fn_with_state(server.clone(), watched))
        .with_state(server)
}

/// Checks the token, then counts the request and writes its log line.
async fn watched(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let number = server.metrics.begun();
    let path = PATHS.into_iter().find(|path| *path == request.uri().path()).unwrap_or("other");
    let method = request.method().clone();
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let allowed = path == "/healthz" || server.settings.token.as_ref().is_none_or(|token| token.allows(header));
    let response = if allowed { next.run(request).await } else { Fault::Unauthorised.into_response() };
    let (status, took) = (response.status().as_u16(), start.elapsed());
    server.metrics.answered(path, status, took);
    if !server.settings.quiet {
        let scored = match response.extensions().get::<Tally>() {
            Some(Tally { responses, hash }) => format!(", {responses} responses, body {hash:016x}"),
            None => String::new(),
        };
        eprintln!("attending: request {number} {method} {path} {status} in {:.1} ms{scored}", took.as_secs_f64() * 1e3);
    }
    response
}

async fn score(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Result<Response, Fault> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(kind.as_str(), "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines") {
        let place = server.queue.enter().ok_or(Fault::Full)?;
        let mut response = lines::reply(server, body, place).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        return Ok(response);
    }
    answered(server, body, payload::score).await
}

async fn get_reward(State(server): State<Arc<Server>>, body: Body) -> Result<Response, Fault> {
    answered(server, body, openrlhf::rewards).await
}

/// Turns a body into its reply and the number of responses that it scored.
type Job = fn(&Server, &[u8]) -> Result<(Vec<u8>, usize), Fault>;

/// Reads a whole body and answers it, within the limits.
async fn answered(server: Arc<Server>, body: Body, job: Job) -> Result<Response, Fault> {
    let place = server.queue.enter().ok_or(Fault::Full)?;
    let limits = server.settings.limits.clone();
    let work = async {
        let bytes = read(body, limits.body).await?;
        let inner = server.clone();
        let run = move || {
            // Work that its caller gave up still holds its place.
            let _place = place;
            // The log alone tells it.
            let hash = (!inner.settings.quiet).then(|| hash(&bytes));
            (job(&inner, &bytes), hash)
        };
        server.queue.run(run).await.map_err(Fault::from)
    };
    let (result, hash) = timeout(limits.timeout, work).await.map_err(|_| Fault::Late(limits.timeout.as_secs()))??;
    let (bytes, responses) = result?;
    let mut response = reply(StatusCode::OK, bytes);
    if let Some(hash) = hash {
        response.extensions_mut().insert(Tally { responses, hash });
    }
    Ok(response)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The whole of a body, unless it is longer than `most` bytes.
async fn read(mut body: Body, most: usize) -> Result<Vec<u8>, Fault> {
    let long = || Fault::TooLarge(format!("the body is longer than {most} bytes, expected fewer or shorter items"));
    // What the client announces is refused before it is sent.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most {
        return Err(long());
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(piece) = lines::piece(&mut body).await {
        bytes.extend(piece.map_err(|error| Fault::Bad(format!("the body broke off: {error}")))?);
        if bytes.len() > most {
            return Err(long());
        }
    }
    Ok(bytes)
}

async fn healthz() -> Response {
    reply(StatusCode::OK, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }).to_string())
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let text = server.metrics.text(server.queue.taken(), server.settings.limits.queue);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], text).into_response()
}

async fn openapi_json(State(server): State<Arc<Server>>) -> Response {
    reply(StatusCode::OK, openapi::description(&server.settings).to_string())
}
