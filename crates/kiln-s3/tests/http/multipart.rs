//! Uploads in parts: what they become, and who may end them how often.

use crate::support::Server;

const PART: usize = 5 << 20;

#[tokio::test]
async fn a_multipart_upload_becomes_one_object() {
    let server = Server::start().await;
    let (_, id) = server.begin("big", &[]).await;
    let first = vec![b'a'; PART];
    let body = server.send_parts("big", &id, &[&first, b"tail"]).await;
    let target = format!("/bucket/big?uploadId={id}");
    let answer = server.ask("POST", &target, body.as_bytes()).await;
    assert_eq!(answer.outcome(), "200");
    assert!(answer.text().contains("-2"), "{}", answer.text());
    let answer = server.ask("GET", "/bucket/big", b"").await;
    assert!(answer.body == [first.as_slice(), b"tail"].concat());
    assert_eq!(server.settled(1).await, 1);
}

#[tokio::test]
async fn an_upload_that_has_ended_ends_again_in_the_same_way_only() {
    let server = Server::start().await;
    let (_, id) = server.begin("big", &[]).await;
    let body = server.send_parts("big", &id, &[b"all"]).await;
    let target = format!("/bucket/big?uploadId={id}");
    let first = server.ask("POST", &target, body.as_bytes()).await;
    // Whatever has become of the object meanwhile, and from many clients at once.
    server.ask("PUT", "/bucket/big", b"newer").await;
    let again = server.ask("POST", &target, body.as_bytes()).await;
    assert_eq!(again.outcome(), "200");
    assert_eq!(again.text(), first.text());
    assert_eq!(server.ask("GET", "/bucket/big", b"").await.text(), "newer");

    let gone = "404 NoSuchUpload";
    let other = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>\
                 <ETag>&quot;00000000000000000000000000000000&quot;</ETag></Part>\
                 </CompleteMultipartUpload>";
    let answer = server.ask("POST", &target, other.as_bytes()).await;
    assert_eq!(answer.outcome(), gone);
    let elsewhere = format!("/bucket/other?uploadId={id}");
    let answer = server.ask("POST", &elsewhere, body.as_bytes()).await;
    assert_eq!(answer.outcome(), gone);
    assert_eq!(server.ask("DELETE", &target, b"").await.outcome(), gone);
}

#[tokio::test]
async fn all_who_end_an_upload_at_once_are_answered_alike() {
    let server = std::sync::Arc::new(Server::start().await);
    let (_, id) = server.begin("big", &[]).await;
    let first = vec![b'a'; PART];
    let body = server.send_parts("big", &id, &[&first, b"tail"]).await;
    let requests = (0..8).map(|_| {
        let (server, body) = (server.clone(), body.clone());
        let target = format!("/bucket/big?uploadId={id}");
        tokio::spawn(async move { server.ask("POST", &target, body.as_bytes()).await })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap().outcome(), "200");
    }
    assert_eq!(server.settled(1).await, 1);
}
