//! Bodies that come whole, too large, slowly, and not at all.

use http_body_util::Full;
use tokio::sync::mpsc;

use super::*;

const SHORT: Duration = Duration::from_millis(100);

/// A body whose pieces a test sends, and that ends when the test lets go.
struct Piecemeal(mpsc::UnboundedReceiver<Bytes>);

impl Body for Piecemeal {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

fn piecemeal() -> (mpsc::UnboundedSender<Bytes>, Piecemeal) {
    let (pieces, body) = mpsc::unbounded_channel();
    (pieces, Piecemeal(body))
}

fn whole(bytes: &'static [u8]) -> Full<Bytes> {
    Full::new(Bytes::from_static(bytes))
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound() {
    assert_eq!(
        read(whole(b"12345"), 5).await,
        Ok(Bytes::from_static(b"12345"))
    );
    assert_eq!(read(whole(b"123456"), 5).await, Err(Unread::TooLarge));
    let (pieces, body) = piecemeal();
    for _ in 0..3 {
        pieces.send(Bytes::from_static(b"12")).unwrap();
    }
    drop(pieces);
    assert_eq!(read(body, 5).await, Err(Unread::TooLarge));
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_not_waited_for() {
    let (pieces, body) = piecemeal();
    pieces.send(Bytes::from_static(b"some")).unwrap();
    let body = Watched::new(body, SHORT, None);
    let sight = body.sight();
    let error = body.collect().await.unwrap_err();
    assert!(error.is::<Unread>() && sight.stalled(), "{error}");
    drop(pieces);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_waited_for() {
    let (pieces, body) = piecemeal();
    let sending = async move {
        for _ in 0..5 {
            tokio::time::sleep(SHORT / 2).await;
            pieces.send(Bytes::from_static(b"x")).unwrap();
        }
    };
    let body = Watched::new(body, SHORT, None);
    let (read, ()) = tokio::join!(body.collect(), sending);
    assert_eq!(read.unwrap().to_bytes(), "xxxxx");
}

#[tokio::test]
async fn only_a_whole_body_differs_from_its_hash() {
    let hash = |text: &[u8]| hex::encode(digest::digest(&digest::SHA256, text));
    for (said, differs) in [(hash(b"body"), false), (hash(b"other"), true)] {
        let mut body = Watched::new(whole(b"body"), SHORT, Some(said));
        let sight = body.sight();
        assert!(!sight.differs());
        body.frame().await.unwrap().unwrap();
        assert_eq!(sight.differs(), differs);
    }
}
