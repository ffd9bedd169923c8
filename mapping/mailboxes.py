"""Our own lists: mailboxes that are not one person's, domains that are not one company's."""

from __future__ import annotations

JAPANESE_PROVIDERS = frozenset(
    {
        "docomo.ne.jp", "ezweb.ne.jp", "au.com", "softbank.ne.jp", "softbank.jp", "i.softbank.jp", "vodafone.ne.jp",
        "ymobile.ne.jp", "ymobile1.ne.jp", "ymobile.jp", "willcom.com", "pdx.ne.jp", "emnet.ne.jp", "emobile.ne.jp",
        "uqmobile.jp", "rakumail.jp", "rakuten.jp", "disney.ne.jp", "mineo.jp", "nifty.com", "nifty.ne.jp",
        "ocn.ne.jp", "biglobe.ne.jp", "so-net.ne.jp", "so-net.jp", "plala.or.jp", "plala.to", "ybb.ne.jp",
        "bbtec.net", "dion.ne.jp", "odn.ne.jp", "asahi-net.or.jp", "asahinet.jp", "eonet.ne.jp", "zaq.ne.jp",
        "zaq.jp", "jcom.home.ne.jp", "jcom.zaq.ne.jp", "home.ne.jp", "itscom.net", "hi-ho.ne.jp", "wakwak.com",
        "sannet.ne.jp", "dti.ne.jp", "infoweb.ne.jp", "infoseek.jp", "excite.co.jp", "goo.jp", "goo.ne.jp",
        "mail.goo.ne.jp", "livedoor.com", "yahoo.ne.jp", "ymail.ne.jp", "auone.jp", "auone-net.jp", "kcn.jp",
        "tcp-ip.or.jp", "cty-net.ne.jp", "ccnw.ne.jp", "bai.ne.jp", "tiki.ne.jp", "nns.ne.jp", "enjoy.ne.jp",
        "megaegg.ne.jp", "pikara.ne.jp", "commufa.jp", "bbiq.jp", "iij4u.or.jp", "nuro.jp", "rakuten.com",
        "freeml.com", "lycos.jp", "coara.or.jp",
    }
)  # fmt: skip
"""Carriers and access providers whose domains tell nothing about the employer; our own list."""

ROLES = frozenset(
    {
        "abuse", "accounting", "accounts", "admin", "administrator", "all", "billing", "business", "careers",
        "contact", "contactus", "customerservice", "customersupport", "desk", "enquiries", "enquiry", "event",
        "events", "everyone", "feedback", "finance", "form", "general", "hello", "help", "helpdesk", "hostmaster",
        "hr", "info", "information", "inquiries", "inquiry", "invoice", "invoices", "it", "jobs", "legal", "list",
        "mail", "mailer-daemon", "marketing", "media", "news", "newsletter", "office", "order", "orders", "partner",
        "partners", "post", "postmaster", "pr", "press", "privacy", "procurement", "purchase", "purchasing",
        "reception", "recruit", "recruiting", "root", "sales", "security", "seminar", "service", "staff", "support",
        "sysadmin", "system", "team", "tech", "ticket", "tickets", "web", "webinar", "webmaster", "welcome",
        "noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "anzen", "bosyu", "daihyo", "eigyo",
        "eigyou", "gyomu", "hanbai", "hisho", "hoken", "honbu", "honsha", "houmu", "jimu", "jimukyoku", "jinji",
        "joho", "jouhou", "juchu", "kaihatsu", "kaikei", "kanri", "keiei", "keiri", "kikaku", "kinmu", "kobai",
        "koho", "koubai", "kouho", "madoguchi", "order-jp", "otoiawase", "rousei", "saiyo", "saiyou", "seisan",
        "shien", "shiten", "soudan", "soumu", "somu", "toiawase", "uketsuke", "zaimu", "総務", "経理", "人事", "営業",
        "採用", "広報", "法務", "財務", "情報", "受付", "問合せ", "問い合わせ", "お問い合わせ", "お問合せ", "窓口",
        "代表", "事務局", "購買", "企画", "管理", "開発", "秘書",
    }
)  # fmt: skip
"""Mailboxes that several people read; our own list, Japanese in both scripts."""

PLACEHOLDERS = frozenset(
    {
        "test", "tests", "testing", "tester", "noname", "nomail", "noemail", "no-email", "none", "null", "na", "n/a",
        "xxx", "xxxx", "aaa", "aaaa", "dummy", "sample", "example", "unknown", "anonymous", "nobody", "user", "abc",
        "asdf", "foo", "bar", "なし", "不明", "名無し", "匿名", "テスト", "ダミー",
    }
)  # fmt: skip
"""What people type where an address is required and none is at hand."""

PLACES = frozenset(
    {
        "apac", "asia", "emea", "eu", "europe", "fukuoka", "global", "hokkaido", "japan", "jp", "kansai", "kanto",
        "kyushu", "nagoya", "osaka", "sapporo", "sendai", "tokyo", "uk", "us", "usa",
    }
)  # fmt: skip
