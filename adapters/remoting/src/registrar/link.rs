//! Requests and answers on a connection of ours to a NameServer.

use bytes::{Bytes, BytesMut};
use gantry_remoting_protocol::body::BodyError;
use gantry_remoting_protocol::{
    Command, DecodeError, FRAME_BYTES_MAX, FieldError, Request, RequestCode, ResponseCode,
    WriteFields, decode,
};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Why a connection to a NameServer is given up.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The network's, or the NameServer has closed it.
    #[error("{0}")]
    Stream(#[from] io::Error),
    /// It did not answer within `remoting.registration.answer_timeout_ms`.
    #[error("no answer in time")]
    Silent,
    /// It speaks something else.
    #[error("{0}")]
    Frame(#[from] DecodeError),
    /// Its answer lacks a field.
    #[error("{0}")]
    Field(#[from] FieldError),
    /// Its answer's body cannot be read.
    #[error("{0}")]
    Body(#[from] BodyError),
    /// It will not have this broker.
    #[error("refused with code {code}: {remark}")]
    Refused {
        /// Of the answer.
        code: i32,
        /// The NameServer's reason, cut to a readable length.
        remark: String,
    },
}

/// One connection; requests go one at a time.
#[derive(Debug)]
pub(super) struct Link<S> {
    stream: S,
    input: BytesMut,
    opaque: i32,
    patience: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(stream: S, answer_timeout_ms: u64) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            opaque: 0,
            patience: Duration::from_millis(answer_timeout_ms),
        }
    }

    /// The successful answer to a request.
    pub(super) async fn ask(
        &mut self,
        code: RequestCode,
        fields: &(dyn WriteFields + Sync),
        body: &Bytes,
    ) -> Result<Command, LinkError> {
        let head = self.head(code, fields, body.len());
        let answered = timeout(self.patience, self.exchange(&head, body));
        let answer = answered.await.map_err(|_| LinkError::Silent)??;
        match answer.response_code() {
            ResponseCode::Success => Ok(answer),
            code => Err(LinkError::Refused {
                code: code.value(),
                remark: answer
                    .remark
                    .as_deref()
                    .unwrap_or_default()
                    .chars()
                    .take(200)
                    .collect(),
            }),
        }
    }

    fn head(&mut self, code: RequestCode, fields: &dyn WriteFields, body_len: usize) -> BytesMut {
        self.opaque = self.opaque.wrapping_add(1);
        let mut head = BytesMut::new();
        let request = Request {
            code,
            opaque: self.opaque,
            is_oneway: false,
            fields: Some(fields),
            body_len,
        };
        request.encode(&mut head);
        head
    }

    async fn exchange(&mut self, head: &[u8], body: &[u8]) -> Result<Command, LinkError> {
        self.stream.write_all(head).await?;
        self.stream.write_all(body).await?;
        self.stream.flush().await?;
        loop {
            let command = self.read().await?;
            if command.flag.is_response() && command.opaque == self.opaque {
                return Ok(command);
            }
        }
    }

    /// The next frame, whatever it is. What was read is kept when this is dropped.
    pub(super) async fn read(&mut self) -> Result<Command, LinkError> {
        loop {
            if let Some(command) = decode(&mut self.input, FRAME_BYTES_MAX)? {
                return Ok(command);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
            }
        }
    }
}
