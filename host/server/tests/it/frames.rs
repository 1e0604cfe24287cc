//! HTTP/2, frame by frame (RFC 9113, section 4), for clients that no library would be.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{Server, within};

/// RFC 9113, section 6: the types of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;

const ACK: u8 = 1;
const END_STREAM_AND_HEADERS: u8 = 1 | 4;

/// A frame, but for its flags.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Frames(TcpStream);

impl Frames {
    /// Greets the server, with the windows that RFC 9113 gives who says nothing of them.
    pub(crate) async fn connect(server: &Server) -> Self {
        let mut stream = server.connect().await.into_stream();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        stream.write_all(preface).await.expect("send");
        let mut frames = Self(stream);
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// A GET of a path of less than 127 bytes, by the static table (RFC 7541, appendix A).
    pub(crate) async fn get(&mut self, stream: u32, path: &str) {
        let length = u8::try_from(path.len()).expect("a short path");
        // :method GET, :scheme http, :authority a, :path
        let mut block = vec![0x82, 0x86, 0x01, 1, b'a', 0x04, length];
        block.extend_from_slice(path.as_bytes());
        self.send(HEADERS, END_STREAM_AND_HEADERS, stream, &block)
            .await;
    }

    /// Has the server answer, which it does after what it was sent before.
    pub(crate) async fn ping(&mut self) {
        self.send(PING, 0, 0, &[7; 8]).await;
        while self.next().await.kind != PING {}
    }

    pub(crate) async fn acknowledge_settings(&mut self) {
        self.send(SETTINGS, ACK, 0, &[]).await;
    }

    pub(crate) async fn next(&mut self) -> Frame {
        let mut head = [0; 9];
        within(self.0.read_exact(&mut head)).await.expect("a frame");
        let [a, b, c, kind, _, s, t, u, v] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let mut payload = vec![0; length];
        within(self.0.read_exact(&mut payload))
            .await
            .expect("its payload");
        Frame {
            kind,
            stream: u32::from_be_bytes([s, t, u, v]),
            payload,
        }
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short payload");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.expect("send");
    }
}
