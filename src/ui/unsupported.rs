//! What to do where the page cannot work.

use leptos::prelude::*;
use rust_i18n::t;

use super::lab::Missing;

/// Explains what is missing, which browsers have it, and how to turn it on.
#[component]
pub fn Unsupported(missing: Missing) -> impl IntoView {
    let (title, why) = match missing {
        Missing::WebGpu => (t!("missing.no_webgpu"), t!("missing.no_webgpu_why")),
        Missing::SecureContext => (t!("missing.insecure"), t!("missing.insecure_why")),
        Missing::Adapter => (t!("missing.no_adapter"), t!("missing.no_adapter_why")),
    };
    view! {
        <main id="main" class="missing" data-testid="unsupported">
            <h1>{title}</h1>
            <p class="missing__why">{why}</p>
            <button type="button" class="button button--main" data-testid="use-processor" on:click=|_| super::device::choose("cpu")>
                {t!("missing.use_processor")}
            </button>
            <div class="missing__columns">
                <section class="card" aria-labelledby="have-it">
                    <h2 class="eyebrow" id="have-it">{t!("missing.browsers")}</h2>
                    <table class="missing__table">
                        <tbody>
                            <tr>
                                <th scope="row">"Chrome, Edge"</th>
                                <td>{t!("missing.chrome")}</td>
                            </tr>
                            <tr>
                                <th scope="row">"Safari"</th>
                                <td>{t!("missing.safari")}</td>
                            </tr>
                            <tr>
                                <th scope="row">"Firefox"</th>
                                <td>{t!("missing.firefox")}</td>
                            </tr>
                        </tbody>
                    </table>
                </section>
                <section class="card" aria-labelledby="turn-on">
                    <h2 class="eyebrow" id="turn-on">{t!("missing.turn_on")}</h2>
                    <ol class="missing__steps">
                        <li>{t!("missing.update")}</li>
                        <li>
                            {t!("missing.on_chrome")}
                            <code>"chrome://flags/#enable-unsafe-webgpu"</code> {t!("missing.on_chrome_flag")} <code>"chrome://gpu"</code>
                            {t!("missing.on_chrome_found")}
                        </li>
                        <li>
                            {t!("missing.on_firefox")} <code>"about:config"</code> {t!("missing.on_firefox_set")} <code>"dom.webgpu.enabled"</code>
                            {t!("missing.on_firefox_true")}
                        </li>
                        <li>{t!("missing.on_ios")}</li>
                    </ol>
                </section>
            </div>
            <p class="missing__why">{t!("missing.without")} <code>"reslab classify picture.jpg"</code> {t!("missing.without_end")}</p>
        </main>
    }
}
