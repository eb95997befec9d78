//! The body of an answer, as guests read it.
use super::exchange::Held;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::time::Instant;
use windlass_core::failure::{Failure, FailureKind};

#[allow(unreachable_pub, reason = "the bindings re-export it")]
/// The body of an answer, read in pieces. Holds its request's slots to its end.
pub struct Body {
    incoming: Option<Incoming>,
    piece: Bytes,
    left: usize,
    /// There is more than may be read.
    pub(super) too_large: bool,
    deadline: Instant,
    held: Option<Held>,
}

impl Body {
    /// One that comes from the source.
    pub(super) fn incoming(incoming: Incoming, most: usize, deadline: Instant, held: Held) -> Body {
        Body { incoming: Some(incoming), piece: Bytes::new(), left: most, too_large: false, deadline, held: Some(held) }
    }

    /// One that is here.
    pub(super) fn whole(piece: Bytes, deadline: Instant, held: Held) -> Body {
        let held = (!piece.is_empty()).then_some(held);
        Body { incoming: None, piece, left: 0, too_large: false, deadline, held }
    }

    /// Reads on until the end, or until there are or will be more than `most` bytes: then what was read stays to be read.
    pub(super) async fn gather(&mut self, most: usize) -> Result<Option<Bytes>, Failure> {
        let announced = self.incoming.as_ref().map_or(0, |incoming| incoming.size_hint().lower());
        if usize::try_from(announced).map_or(true, |announced| announced > most) {
            return Ok(None);
        }
        let mut gathered = BytesMut::new();
        loop {
            let piece = match self.read(usize::MAX).await {
                // The one who reads it is told, once there is no more to read.
                Err(_) if self.too_large => {
                    self.piece = gathered.freeze();
                    return Ok(None);
                }
                read => read?,
            };
            if piece.is_empty() {
                return Ok(Some(gathered.freeze()));
            }
            gathered.extend_from_slice(&piece);
            if gathered.len() > most {
                self.piece = gathered.freeze();
                return Ok(None);
            }
        }
    }

    pub(super) async fn read(&mut self, most: usize) -> Result<Bytes, Failure> {
        while self.piece.is_empty() {
            if self.too_large {
                return Err(Failure::new(FailureKind::BadResponse, "the answer is larger than scalers may read"));
            }
            let Some(incoming) = &mut self.incoming else { return Ok(Bytes::new()) };
            let frame = tokio::time::timeout_at(self.deadline.into(), incoming.frame())
                .await
                .map_err(|_| Failure::new(FailureKind::Timeout, "the answer did not end in time"))?;
            match frame {
                None => {
                    self.incoming = None;
                    self.held = None;
                }
                Some(Err(_)) => {
                    self.incoming = None;
                    return Err(Failure::new(FailureKind::Unreachable, "the connection broke within the answer"));
                }
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    match self.left.checked_sub(piece.len()) {
                        Some(left) => (self.left, self.piece) = (left, piece),
                        None => (self.too_large, self.incoming, self.held) = (true, None, None),
                    }
                }
            }
        }
        let piece = self.piece.split_to(most.min(self.piece.len()));
        if self.piece.is_empty() && self.incoming.is_none() {
            self.held = None;
        }
        Ok(piece)
    }
}
