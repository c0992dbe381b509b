//! What to do where the page cannot work.

use leptos::prelude::*;

use super::lab::Missing;

/// Explains what is missing, which browsers have it, and how to turn it on.
#[component]
pub fn Unsupported(missing: Missing) -> impl IntoView {
    let (title, why) = match missing {
        Missing::WebGpu => (
            "This browser has no WebGPU",
            "ResLab runs its networks on the graphics card through WebGPU, a web standard that this browser does not offer, or that is turned off.",
        ),
        Missing::SecureContext => (
            "This address hides WebGPU",
            "Browsers offer WebGPU only to pages that came over https, or from this computer itself (http://localhost, http://127.0.0.1). Open the page that way.",
        ),
        Missing::Adapter => (
            "No graphics adapter answered",
            "This browser has WebGPU, but it found no graphics adapter it may use: the driver may be old or on the browser\u{2019}s blocklist, or hardware acceleration is turned off.",
        ),
    };
    view! {
        <main id="main" class="missing" data-testid="unsupported">
            <h1>{title}</h1>
            <p class="missing__why">{why}</p>
            <div class="missing__columns">
                <section class="card" aria-labelledby="have-it">
                    <h2 class="eyebrow" id="have-it">"Browsers that have it"</h2>
                    <table class="missing__table">
                        <tbody>
                            <tr>
                                <th scope="row">"Chrome, Edge"</th>
                                <td>"113 or newer on Windows, macOS and ChromeOS; 121 on Android; on Linux 144 with Intel and 147 with NVIDIA graphics"</td>
                            </tr>
                            <tr>
                                <th scope="row">"Safari"</th>
                                <td>"26 or newer on macOS, iOS, iPadOS and visionOS"</td>
                            </tr>
                            <tr>
                                <th scope="row">"Firefox"</th>
                                <td>"141 or newer on Windows; 145 on macOS 26 and 147 on older macOS, with Apple silicon"</td>
                            </tr>
                        </tbody>
                    </table>
                </section>
                <section class="card" aria-labelledby="turn-on">
                    <h2 class="eyebrow" id="turn-on">"How to turn it on"</h2>
                    <ol class="missing__steps">
                        <li>"Update the browser and the graphics driver, then start the browser again."</li>
                        <li>
                            "Chrome and Edge: in Settings, System, turn on \u{201c}Use graphics acceleration when available\u{201d}. On Linux open "
                            <code>"chrome://flags/#enable-unsafe-webgpu"</code> " and enable the flag; " <code>"chrome://gpu"</code>
                            " then shows what was found."
                        </li>
                        <li>
                            "Firefox on Linux or Android: in " <code>"about:config"</code> " set " <code>"dom.webgpu.enabled"</code>
                            " to true; the Nightly edition has it on."
                        </li>
                        <li>"iPhone and iPad: update to version 26; every browser there uses Safari\u{2019}s engine."</li>
                    </ol>
                </section>
            </div>
            <p class="missing__why">"The same networks run without a browser: " <code>"reslab classify picture.jpg"</code> " on the command line."</p>
        </main>
    }
}
