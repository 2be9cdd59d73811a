//! One HTTP request to an endpoint, or to a reward function.

use std::time::Duration;

use attending_eval::endpoint::{Reply, Transport};

/// Longest reply that is read, bytes: no response of a model is longer.
const LONGEST_REPLY: u64 = 64 << 20;

/// An address and the way there.
#[derive(Debug)]
pub struct Http {
    agent: ureq::Agent,
    address: String,
    key: Option<String>,
}

impl Http {
    /// To an address; `key` is sent as a bearer token; `timeout` is for a whole request.
    pub fn new(address: String, key: Option<String>, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false).build();
        Self { agent: config.into(), address, key }
    }

    /// To the chat completions of an endpoint: `url` up to its version (`http://host:8000/v1`), or whole.
    pub fn chat(url: &str, key: Option<String>, timeout: Duration) -> Self {
        let url = url.trim_end_matches('/');
        let whole = url.ends_with("/chat/completions");
        Self::new(if whole { url.to_owned() } else { format!("{url}/chat/completions") }, key, timeout)
    }
}

impl Transport for Http {
    fn post(&self, body: &str) -> Result<Reply, String> {
        let mut request = self.agent.post(&self.address).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut reply = request.send(body).map_err(|error| format!("{}: {error}", self.address))?;
        let retry_after = reply.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let status = reply.status().as_u16();
        let body = reply.body_mut().with_config().limit(LONGEST_REPLY).read_to_string();
        let body = body.map_err(|error| format!("the reply ended early: {error}"))?;
        Ok(Reply { status, retry_after, body })
    }
}

/// The address as records may show it: without a user's name and password.
pub fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or(host))
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_and_shown_without_passwords() {
        let address = |url| Http::chat(url, None, Duration::from_secs(1)).address;
        assert_eq!(address("http://h:1/v1/"), "http://h:1/v1/chat/completions");
        assert_eq!(address("http://h:1/v1/chat/completions"), "http://h:1/v1/chat/completions");
        assert_eq!(shown("https://me:secret@h/v1@2"), "https://h/v1@2");
        assert_eq!(shown("http://h:1/v1"), "http://h:1/v1");
    }
}
