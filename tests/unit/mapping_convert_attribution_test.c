/* What mail programs write above what they quote, and prose that looks a little like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "mapping/convert_attribution.h"

#define W CONVERT_ATTRIBUTION_WROTE
#define O CONVERT_ATTRIBUTION_ORIGINAL
#define F CONVERT_ATTRIBUTION_FORWARD

static const struct {
    enum convert_attribution kind;
    const char *text; /* all of it is the attribution */
} attributions[] = {
    /* Gmail, by language. */
    { W, "On Mon, Mar 3, 2025 at 10:00 AM Bob Example <bob@example.com> wrote:" },
    { W, "On Mon, Mar 3, 2025 at 10:00\u202FAM Bob Example <bob@example.com> wrote:" },
    { W, "On Mon, Mar 3, 2025 at 10:00 AM Bob Example\n<bob@example.com> wrote:" },
    { W, "On Mon, 3 Mar 2025 at 10:00, Bob Example <bob@example.com> wrote:" },
    { W, "On Mon, 3 Mar 2025, 10:00 Bob Example, <bob@example.com> wrote:" },
    { W, "On Monday, March 3, 2025, Bob Example <bob@example.com> wrote:" },
    { W, "Am Mo., 3. März 2025 um 10:00 Uhr schrieb Bob Example <bob@example.com>:" },
    { W, "Am Mo., 3. März 2025 um 10:00 Uhr schrieb Bob Example\n<bob@example.com>:" },
    { W, "Bob Example <bob@example.com> schrieb am Mo., 3. März 2025, 10:00:" },
    { W, "Le lun. 3 mars 2025 à 10:00, Bob Example <bob@example.com> a écrit :" },
    { W, "Le lun. 3 mars 2025 à 10:00, Bob Example <bob@example.com> a\nécrit\u00A0:" },
    { W, "El lun, 3 mar 2025 a las 10:00, Bob Example (<bob@example.com>) escribió:" },
    { W, "El lun., 3 mar. 2025 10:00, Bob Example <bob@example.com> escribió:" },
    { W, "Il giorno lun 3 mar 2025 alle ore 10:00 Bob Example <bob@example.com> ha\nscritto:" },
    { W, "Il lun 3 mar 2025, 10:00 Bob Example <bob@example.com> ha scritto:" },
    { W, "Em seg., 3 de mar. de 2025 às 10:00, Bob Example <bob@example.com>\nescreveu:" },
    { W, "Bob Example <bob@example.com> escreveu (segunda, 3/03/2025 à(s) 10:00):" },
    { W, "Op ma 3 mrt 2025 om 10:00 schreef Bob Example <bob@example.com>:" },
    { W, "Den mån 3 mars 2025 kl 10:00 skrev Bob Example <bob@example.com>:" },
    { W, "Den man. 3. mar. 2025 kl. 10.00 skrev Bob Example <bob@example.com>:" },
    { W, "man. 3. mars 2025 kl. 10:00 skrev Bob Example <bob@example.com>:" },
    { W, "ma 3. maalisk. 2025 klo 10.00 Bob Example (bob@example.com) kirjoitti:" },
    { W, "pon., 3 mar 2025 o 10:00 Bob Example <bob@example.com> napisał(a):" },
    { W, "po 3. 3. 2025 v 10:00 odesílatel Bob Example <bob@example.com> napsal:" },
    { W, "po 3. 3. 2025 o 10:00 Bob Example <bob@example.com> napísal(a):" },
    { W, "Bob Example <bob@example.com> ezt írta (időpont: 2025. márc. 3., H, 10:00):" },
    { W, "În lun., 3 mar. 2025 la 10:00, Bob Example <bob@example.com> a scris:" },
    { W, "пн, 3 мар. 2025 г. в 10:00, Bob Example <bob@example.com>:" },
    { W, "Пн, 3 мар. 2025 г. в 10:00, Боб Пример <bob@example.com>:" },
    { W, "пн, 3 бер. 2025 р. о 10:00 Bob Example <bob@example.com> пише:" },
    { W, "На пн, 3.03.2025 г. в 10:00 Bob Example <bob@example.com> написа:" },
    { W, "пон, 3. мар 2025. у 10:00 Bob Example <bob@example.com> је написао/ла:" },
    { W, "pon, 3. ožu 2025. u 10:00 Bob Example <bob@example.com> napisao je:" },
    { W, "V V pon., 3. mar. 2025 ob 10:00 je oseba Bob Example <bob@example.com> napisala:" },
    { W, "Στις Δευ 3 Μαρ 2025 στις 10:00 π.μ., ο/η Bob Example <bob@example.com> έγραψε:" },
    { W, "Bob Example <bob@example.com>, 3 Mar 2025 Pzt, 10:00 tarihinde şunu yazdı:" },
    { W, "2025年3月3日(月) 10:00 Bob Example <bob@example.com>:" },
    { W, "2025年3月3日(月) 10:00 ボブ・イグザンプル <bob@example.com>:" },
    { W, "Bob Example <bob@example.com> 于2025年3月3日周一 10:00写道：" },
    { W, "Bob Example <bob@example.com> 於 2025年3月3日 週一 上午10:00寫道：" },
    { W, "2025년 3월 3일 (월) 오전 10:00, Bob Example <bob@example.com>님이 작성:" },
    { W, "\u202Bفي الاثنين، 3 مارس 2025 في 10:00 ص تمت كتابة ما يلي بواسطة \u202ABob Example\u202C\u200F "
         "<\u202Abob@example.com\u202C\u200F>:\u202C" },
    { W, "\u202Bבתאריך יום ב׳, 3 במרץ 2025 ב-10:00 מאת \u202ABob Example\u202C\u200F "
         "<\u202Abob@example.com\u202C\u200F>:\u202C" },
    { W, "Vào Th 2, 3 thg 3, 2025 vào lúc 10:00 Bob Example <bob@example.com> đã viết:" },
    { W, "Pada tanggal Sen, 3 Mar 2025 pukul 10.00 Bob Example <bob@example.com> menulis:" },
    { W, "Pada Isn, 3 Mac 2025 pada 10:00 PG Bob Example <bob@example.com> menulis:" },
    { W, "ในวันที่ จ. 3 มี.ค. 2025 เวลา 10:00 Bob Example <bob@example.com> เขียนว่า:" },
    { W, "در تاریخ دوشنبه ۳ مارس ۲۰۲۵،\u200F ۱۰:۰۰ Bob Example <bob@example.com> نوشت:" },
    { W, "सोम, 3 मार्च 2025 को 10:00 am बजे को Bob Example <bob@example.com> ने लिखा:" },
    { W, "Kontakt Bob Example (<bob@example.com>) kirjutas kuupäeval E, 3. märts 2025\nkell 10:00:" },
    { W, "2025-03-03, pr, 10:00 Bob Example <bob@example.com> rašė:" },
    { W, "pirmd., 2025. g. 3. marts, plkst. 10:00 — lietotājs Bob Example (<bob@example.com>) rakstīja:" },
    { W, "Missatge de Bob Example <bob@example.com> del dia dl., 3 de març 2025 a les\n10:00:" },
    { W, "O luns, 3 mar 2025 ás 10:00, Bob Example (<bob@example.com>) escribiu:" },
    /* Apple Mail, iOS. */
    { W, "On Mar 3, 2025, at 10:00 AM, Bob Example <bob@example.com> wrote:" },
    { W, "On 3 Mar 2025, at 10:00, Bob Example <bob@example.com> wrote:" },
    { W, "Am 03.03.2025 um 10:00 schrieb Bob Example <bob@example.com>:" },
    { W, "Le 3 mars 2025 à 10:00, Bob Example <bob@example.com> a écrit :" },
    { W, "El 3 mar 2025, a las 10:00, Bob Example <bob@example.com> escribió:" },
    { W, "Il giorno 3 mar 2025, alle ore 10:00, Bob Example <bob@example.com> ha scritto:" },
    { W, "No dia 03/03/2025, às 10:00, Bob Example <bob@example.com> escreveu:" },
    { W, "Em 3 de mar. de 2025, à(s) 10:00, Bob Example <bob@example.com> escreveu:" },
    { W, "Op 3 mrt 2025, om 10:00 heeft Bob Example <bob@example.com> het volgende geschreven:" },
    { W, "3 mars 2025 kl. 10:00 skrev Bob Example <bob@example.com>:" },
    { W, "Den 3. mar. 2025 kl. 10.00 skrev Bob Example <bob@example.com>:" },
    { W, "Bob Example <bob@example.com> kirjoitti 3.3.2025 kello 10.00:" },
    { W, "Wiadomość napisana przez Bob Example <bob@example.com> w dniu 3 mar 2025, o godz. 10:00:" },
    { W, "3. 3. 2025 v 10:00, Bob Example <bob@example.com>:" },
    { W, "3 мар. 2025 г., в 10:00, Bob Example <bob@example.com> написал(а):" },
    { W, "3 бер. 2025 р. о 10:00 Bob Example <bob@example.com> написав(-ла):" },
    { W, "Bob Example <bob@example.com> şunları yazdı (3 Mar 2025 10:00):" },
    { W, "2025/03/03 10:00、Bob Example <bob@example.com>のメール:" },
    { W, "2025年3月3日 10:00、Bob Example <bob@example.com>のメール：" },
    { W, "2025年3月3日 10:00，Bob Example <bob@example.com> 写道：" },
    { W, "Bob Example <bob@example.com> 於 2025年3月3日 上午10:00 寫道：" },
    { W, "2025. 3. 3. 오전 10:00, Bob Example <bob@example.com> 작성:" },
    { W, "ב-3 במרץ 2025, בשעה 10:00, Bob Example <bob@example.com> כתב/ה:" },
    { W, "في ٣ مارس ٢٠٢٥، الساعة ١٠:٠٠، كتب Bob Example <bob@example.com>:" },
    /* Thunderbird. */
    { W, "On 3/3/25 10:00 AM, Bob Example wrote:" },
    { W, "On 03/03/2025 10:00, Bob Example wrote:" },
    { W, "On 03.03.25 10:00, Bob Example wrote:" },
    { W, "On 2025-03-03 10:00 a.m., Bob Example via list wrote:" },
    { W, "Am 03.03.25 um 10:00 schrieb Bob Example:" },
    { W, "Am 03.03.2025 um 10:00 schrieb Bob Example via Liste:" },
    { W, "Bob Example schrieb am 03.03.2025 um 10:00:" },
    { W, "Le 03/03/2025 à 10:00, Bob Example a écrit :" },
    { W, "El 3/3/25 a las 10:00, Bob Example escribió:" },
    { W, "Il 03/03/2025 10:00, Bob Example ha scritto:" },
    { W, "Em 03/03/2025 10:00, Bob Example escreveu:" },
    { W, "Op 3-3-2025 om 10:00 schreef Bob Example:" },
    { W, "Den 2025-03-03 kl. 10:00, skrev Bob Example:" },
    { W, "Den 03.03.2025 10:00, skrev Bob Example:" },
    { W, "Bob Example kirjoitti 3.3.2025 klo 10.00:" },
    { W, "W dniu 3.03.2025 o 10:00, Bob Example pisze:" },
    { W, "W dniu 2025-03-03 o 10:00, Bob Example pisze:" },
    { W, "Dne 03. 03. 25 v 10:00 Bob Example napsal(a):" },
    { W, "Dňa 3. 3. 2025 o 10:00 Bob Example napísal(a):" },
    { W, "2025. 03. 03. 10:00 keltezéssel, Bob Example írta:" },
    { W, "On 03.03.2025 10:00, Bob Example a scris:" },
    { W, "03.03.2025 10:00, Bob Example пишет:" },
    { W, "03.03.25 10:00, Bob Example пише:" },
    { W, "Στις 3/3/2025 10:00 π.μ., ο Bob Example έγραψε:" },
    { W, "3.03.2025 10:00 tarihinde Bob Example yazdı:" },
    { W, "On 2025/03/03 10:00, Bob Example wrote:" },
    { W, "在 2025/3/3 10:00, Bob Example 写道:" },
    { W, "Bob Example 於 2025/3/3 上午 10:00 寫道:" },
    { W, "2025-03-03 오전 10:00에 Bob Example 이(가) 쓴 글:" },
    { W, "Vào lúc 10:00 03/03/2025, Bob Example đã viết:" },
    /* mutt, Pine, Gnus, Evolution, KMail, Roundcube, webmail. */
    { W, "On Mon, Mar 03, 2025 at 10:00:00AM +0100, Bob Example wrote:" },
    { W, "On Mon, 3 Mar 2025, Bob Example wrote:" },
    { W, "On Mon, Mar 03 2025, Bob Example wrote:" },
    { W, "On Mon, 03 Mar 2025 10:00:00 +0100\nBob Example <bob@example.com> wrote:" },
    { W, "Bob Example <bob@example.com> writes:" },
    { W, "\"Bob Example\" <bob@example.com> writes:" },
    { W, "Bob Example <bob@example.com> wrote:" },
    { W, "Bob Example <bob@example.com> schrieb:" },
    { W, "Bob Example <bob@example.com> a écrit :" },
    { W, "On Mon, 2025-03-03 at 10:00 +0100, Bob Example wrote:" },
    { W, "Am Montag, dem 03.03.2025 um 10:00 +0100 schrieb Bob Example:" },
    { W, "On Monday, March 3, 2025 10:00:00 AM CET Bob Example wrote:" },
    { W, "Am Montag, 3. März 2025, 10:00:00 CET schrieb Bob Example:" },
    { W, "Le lundi 3 mars 2025, 10:00:00 CET Bob Example a écrit :" },
    { W, "On 2025-03-03 10:00, Bob Example wrote:" },
    { W, "Am 2025-03-03 10:00, schrieb Bob Example:" },
    { W, "On Mon, 03 Mar 2025 10:00:00 +0100, Bob Example <bob@example.com> wrote:" },
    { W, "Quoting Bob Example <bob@example.com>:" },
    { W, "Zitat von Bob Example <bob@example.com>:" },
    { W, "Selon Bob Example <bob@example.com>:" },
    { W, "Citando Bob Example <bob@example.com>:" },
    { W, "Bob Example <bob@example.com> hat am 03.03.2025 10:00 CET geschrieben:" },
    { W, "03.03.2025, 10:00, \"Bob Example\" <bob@example.com>:" },
    { W, "Понедельник, 3 марта 2025, 10:00 +03:00 от Bob Example <bob@example.com>:" },
    { W, "在 2025-03-03 10:00:00，\"Bob Example\" <bob@example.com> 写道：" },
    { W, "At 2025-03-03 10:00:00, \"Bob Example\" <bob@example.com> wrote:" },
    { W, "On Monday, March 3rd, 2025 at 10:00 AM, Bob Example <bob@example.com> wrote:" },
    { W, "On March 3, 2025 10:00:00 AM GMT+01:00, Bob Example <bob@example.com> wrote:" },
    { W, "Am 3. März 2025 10:00:00 MEZ schrieb Bob Example <bob@example.com>:" },
    { W, "On 3 Mar 2025 at 10:00, Bob Example wrote:" },
    { W, "On 03 Mar 2025 at 10:00, you wrote:" },
    { W, "Monday, March 3, 2025, 10:00:00 AM, you wrote:" },
    { W, "*On Mon, Mar 3, 2025 at 10:00 AM, Bob Example <bob@example.com> wrote:*" },
    { W, "On 3/3/25, 10:00 AM, \"Bob Example\" <bob@example.com> wrote:" },
    { W, "On Mon, Mar 3, 2025 at 10:00 AM Bob Example <bob@example.com\n<mailto:bob@example.com>> wrote:" },
    { W, "On Monday, March 3, 2025 at 10:00:00 AM GMT+1, Bob Example <bob@example.com> wrote:" },
    { W,
      "On Mon, Mar 3, 2025 at\n10:00 AM Bob Example of the Long Name <\nbob.with.a.long.address@example.com> wrote:" },
    { W, "Le 03/03/2025 10 h 00, Bob Example a écrit :" },
    { W, "On Mon, 3 Mar 2025 10:00:00 +0100 Bob Example [mailto:bob@example.com] wrote:" },
    /* Outlook and its relatives. */
    { O, "From: Bob Example <bob@example.com>\nSent: Monday, March 3, 2025 10:00 AM\n"
         "To: Alice Member <alice@example.org>\nSubject: RE: Plans" },
    { O,
      "-----Original Message-----\nFrom: Bob Example [mailto:bob@example.com] \nSent: Monday, March 03, 2025 10:00 AM\n"
      "To: Alice Member\nCc: Carol Colleague; Dave Doe\nSubject: RE: Plans" },
    { O, "-----Original Message-----" },
    { O, "________________________________\nFrom: Bob Example <bob@example.com>\nSent: Monday, March 3, 2025 10:00 AM\n"
         "To: Alice Member <alice@example.org>\nSubject: Plans" },
    { O, "________________________________________\nFrom: Bob Example\nSent: Monday, March 3, 2025 10:00 AM\n"
         "To: Alice Member; Carol Colleague; Dave Doe; Erin Example; Frank Example; Grace\n Example; Heidi Example\n"
         "Subject: Plans" },
    { O,
      "*From:* Bob Example <bob@example.com>\n*Sent:* Monday, March 3, 2025 10:00 AM\n*To:* Alice\n*Subject:* Plans" },
    { O, "*From: *Bob Example <bob@example.com>\n*Date: *Monday, March 3, 2025 at 10:00 AM\n*To: *Alice\n*Subject: "
         "*Plans" },
    { O, "Von: Bob Example <bob@example.com>\nGesendet: Montag, 3. März 2025 10:00\nAn: Alice\nBetreff: AW: Pläne" },
    { O, "-----Ursprüngliche Nachricht-----\nVon: Bob Example\nGesendet: Montag, 3. März 2025 10:00\nAn: Alice\n"
         "Betreff: Pläne" },
    { O, "Gesendet: Montag, 03. März 2025 um 10:00 Uhr\nVon: \"Bob Example\" <bob@example.com>\n"
         "An: alice@example.org\nBetreff: Re: Pläne" },
    { O, "De : Bob Example <bob@example.com>\nEnvoyé : lundi 3 mars 2025 10:00\nÀ : Alice\nObjet : RE: Projets" },
    { O,
      "-----Message d'origine-----\nDe : Bob Example\nEnvoyé : lundi 3 mars 2025 10:00\nÀ : Alice\nObjet : Projets" },
    { O, "-----Message d’origine-----" },
    { O, "De: Bob Example <bob@example.com>\nEnviado el: lunes, 3 de marzo de 2025 10:00\nPara: Alice\nAsunto: RE: "
         "Planes" },
    { O, "-----Mensaje original-----" },
    { O, "Da: Bob Example <bob@example.com>\nInviato: lunedì 3 marzo 2025 10:00\nA: Alice\nOggetto: R: Piani" },
    { O, "-----Messaggio originale-----" },
    { O, "De: Bob Example <bob@example.com>\nEnviada em: segunda-feira, 3 de março de 2025 10:00\nPara: "
         "Alice\nAssunto: RES: Planos" },
    { O, "-----Mensagem original-----" },
    { O,
      "Van: Bob Example <bob@example.com>\nVerzonden: maandag 3 maart 2025 10:00\nAan: Alice\nOnderwerp: RE: Plannen" },
    { O, "-----Oorspronkelijk bericht-----" },
    { O, "Från: Bob Example <bob@example.com>\nSkickat: den 3 mars 2025 10:00\nTill: Alice\nÄmne: SV: Planer" },
    { O, "-----Ursprungligt meddelande-----" },
    { O, "Fra: Bob Example <bob@example.com>\nSendt: 3. marts 2025 10:00\nTil: Alice\nEmne: SV: Planer" },
    { O, "-----Oprindelig meddelelse-----" },
    { O, "-----Opprinnelig melding-----" },
    { O, "Lähettäjä: Bob Example <bob@example.com>\nLähetetty: maanantai 3. maaliskuuta 2025 10.00\n"
         "Vastaanottaja: Alice\nAihe: VS: Suunnitelmat" },
    { O, "-----Alkuperäinen viesti-----" },
    { O, "Od: Bob Example <bob@example.com>\nWysłano: poniedziałek, 3 marca 2025 10:00\nDo: Alice\nTemat: ODP: Plany" },
    { O, "-----Oryginalna wiadomość-----" },
    { O, "Od: Bob Example <bob@example.com>\nOdesláno: pondělí 3. března 2025 10:00\nKomu: Alice\nPředmět: RE: Plány" },
    { O, "-----Původní zpráva-----" },
    { O, "Od: Bob Example <bob@example.com>\nOdoslané: pondelok 3. marca 2025 10:00\nKomu: Alice\nPredmet: RE: Plány" },
    { O, "Feladó: Bob Example <bob@example.com>\nElküldve: 2025. március 3. 10:00\nCímzett: Alice\nTárgy: RE: Tervek" },
    { O, "-----Eredeti üzenet-----" },
    { O,
      "De la: Bob Example <bob@example.com>\nTrimis: luni, 3 martie 2025 10:00\nCătre: Alice\nSubiect: RE: Planuri" },
    { O, "От: Bob Example <bob@example.com>\nОтправлено: 3 марта 2025 г. 10:00\nКому: Alice\nТема: RE: Планы" },
    { O, "-----Исходное сообщение-----" },
    { O, "-------- Исходное сообщение --------\nОт: Bob Example\nДата: 03.03.25 10:00\nКому: Alice\nТема: Планы" },
    { O, "Від: Bob Example <bob@example.com>\nНадіслано: 3 березня 2025 р. 10:00\nКому: Alice\nТема: RE: Плани" },
    { O, "Από: Bob Example <bob@example.com>\nΣτάλθηκε: Δευτέρα, 3 Μαρτίου 2025 10:00\nΠρος: Alice\nΘέμα: RE: Σχέδια" },
    { O, "Kimden: Bob Example <bob@example.com>\nGönderildi: 3 Mart 2025 Pazartesi 10:00\nKime: Alice\nKonu: YNT: "
         "Planlar" },
    { O, "-----Özgün İleti-----" },
    { O, "差出人: Bob Example <bob@example.com>\n送信日時: 2025年3月3日 10:00\n宛先: Alice\n件名: RE: 計画" },
    { O, "-----元のメッセージ-----" },
    { O, "发件人: Bob Example <bob@example.com>\n发送时间: 2025年3月3日 10:00\n收件人: Alice\n主题: 答复: 计划" },
    { O, "发件人：Bob Example <bob@example.com>\n日期：2025年3月3日 10:00\n收件人：Alice\n主题：计划" },
    { O, "发 件 人: Bob Example <bob@example.com>\n发送日期: 2025-03-03 10:00:00\n收 件 人: Alice\n主 题: 计划" },
    { O, "------------------ 原始邮件 ------------------\n发件人: \"Bob Example\" <bob@example.com>;\n"
         "发送时间: 2025年3月3日(星期一) 上午10:00\n收件人: \"Alice\"<alice@example.org>;\n主题: 计划" },
    { O, "寄件者: Bob Example <bob@example.com>\n寄件日期: 2025年3月3日 10:00\n收件者: Alice\n主旨: RE: 計畫" },
    { O, "보낸 사람: Bob Example <bob@example.com>\n보낸 날짜: 2025년 3월 3일 월요일 오전 10:00\n받는 사람: "
         "Alice\n제목: RE: 계획" },
    { O, "من: Bob Example <bob@example.com>\nتم الإرسال: الاثنين، 3 مارس 2025 10:00\nإلى: Alice\nالموضوع: خطط" },
    { O, "מאת: Bob Example <bob@example.com>\nנשלח: יום שני 3 מרץ 2025 10:00\nאל: Alice\nנושא: תוכניות" },
    { O, "Từ: Bob Example <bob@example.com>\nĐã gửi: Thứ Hai, 3 tháng 3, 2025 10:00\nĐến: Alice\nChủ đề: Kế hoạch" },
    { O, "Dari: Bob Example <bob@example.com>\nDikirim: Senin, 03 Maret 2025 10.00\nKepada: Alice\nPerihal: Rencana" },
    { O, "จาก: Bob Example <bob@example.com>\nส่ง: 3 มีนาคม 2568 10:00\nถึง: Alice\nเรื่อง: แผน" },
    { O, "====\nMessage du : 03/03/2025 10:00\nDe : \"Bob Example\" <bob@example.com>\nA : alice@example.org\n"
         "Copie à : \nSujet : Projets" },
    { W, "Am 03.03.2025 10:00 schrieb \"Bob Example\" <bob@example.com>:" },
    { W, "2025-03-03 10:00 GMT+01:00 Bob Example <bob@example.com>:" },
    { W, "03.03.2025, 10.00, \"Bob - Example\" <bob@example.com>:" },
    { W, "10:00 AM, March 3, 2025, \"Bob - Example\" <bob@example.com>:" },
    { W, "W dniu 2025-03-03 10:00:00 użytkownik Bob Example <bob@example.com> napisał:" },
    { W, "Dnia 3 marca 2025 10:00 Bob Example <bob@example.com> napisał(a):" },
    { W, "Em 3 de março de 2025 às 10:00:35, Bob Example (\nbob@example.com) escreveu:" },
    { W, "In data 3 marzo 2025 10:00:31 \"Bob Example\" <bob@example.com> ha scritto:" },
    { W, "On Mon, Mar 3, 2025 at 10:00 AM, Bob Example <bob@example.com>wrote:" },
    { W, "2025.03.03. 10:00 keltezéssel, \"Bob Example\" írta:" },
    /* Android, Yahoo, Proton, Zoho, Notes, GroupWise, and separators. */
    { O, "-------- Original message --------\nFrom: Bob Example <bob@example.com> \n"
         "Date: 3/3/25  10:00 AM  (GMT+01:00) \nTo: alice@example.org \nSubject: Plans" },
    { O, "-------- Ursprüngliche Nachricht --------\nVon: Bob Example <bob@example.com>\nDatum: 03.03.25 10:00 "
         "(GMT+01:00)\nAn: alice@example.org\nBetreff: Pläne" },
    { O, "----- Reply message -----\nFrom: \"Bob Example\" <bob@example.com>\nTo: <alice@example.org>\n"
         "Subject: Plans\nDate: Mon, Mar 3, 2025 10:00 AM" },
    { O, "----- Original Message -----\nFrom: Bob Example\nTo: Alice Member\nSent: Monday, March 03, 2025 10:00 AM\n"
         "Subject: Plans" },
    { O, "------- Original Message -------" },
    { O, "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐" },
    { O, "---- On Mon, 03 Mar 2025 10:00:00 +0100 Bob Example <bob@example.com> wrote ----" },
    { O, "-----Bob Example/Acme wrote: -----\nTo: Alice Member/Acme@Acme\nFrom: Bob Example/Acme\n"
         "Date: 03/03/2025 10:00AM\nSubject: Plans" },
    { O, "-----Bob Example/Acme schrieb: -----" },
    { O, "From:\tBob Example/Acme\nTo:\tAlice Member/Acme@Acme\nDate:\t03/03/2025 10:00 AM\nSubject:\tPlans" },
    { O,
      "Von:\tBob Example/Acme\nAn:\tAlice Member/Acme@Acme\nKopie:\tCarol\nDatum:\t03.03.2025 10:00\nBetreff:\tPläne" },
    { O, ">>> Bob Example <bob@example.com> 3/3/2025 10:00 AM >>>" },
    { O, ">>> \"Bob Example\" <bob@example.com> schrieb am Montag, 3. März 2025 um 10:00: >>>" },
    { O, "-----Original Appointment-----" },
    { O, "___________________________________\nVon: Bob Example <bob@example.com>\nGesendet: Montag, 3. März 2025 "
         "10:00:00\n"
         "An: Alice\nBetreff: Pläne" },
    /* What is forwarded. */
    { F, "---------- Forwarded message ---------" },
    { F, "---------- Forwarded message ----------" },
    { F, "-------- Forwarded Message --------" },
    { F, "-------- Weitergeleitete Nachricht --------" },
    { F, "---------- Weitergeleitete Nachricht ----------" },
    { F, "---------- Message transféré ---------" },
    { F, "-------- Message transféré --------" },
    { F, "---------- Mensaje reenviado ---------" },
    { F, "---------- Messaggio inoltrato ---------" },
    { F, "---------- Mensagem encaminhada ---------" },
    { F, "---------- Doorgestuurd bericht ---------" },
    { F, "---------- Vidarebefordrat meddelande ---------" },
    { F, "---------- Videresendt melding ---------" },
    { F, "-------- Edelleenlähetetty viesti --------" },
    { F, "---------- Wiadomość przekazana dalej ---------" },
    { F, "---------- Přeposlaná zpráva ---------" },
    { F, "---------- Továbbított üzenet ---------" },
    { F, "-------- Пересылаемое сообщение --------" },
    { F, "---------- Yönlendirilmiş ileti ---------" },
    { F, "---------- 转发的邮件 ---------" },
    { F, "---------- 전달된 메시지 ---------" },
    { F, "----- Forwarded by Bob Example/Acme on 03/03/2025 10:00 AM -----" },
    { F, "----- Weitergeleitet von Bob Example/Acme am 03.03.2025 10:00 -----" },
    { F, "Begin forwarded message:" },
    { F, "Anfang der weitergeleiteten Nachricht:" },
    { F, "Début du message réexpédié :" },
    { F, "Inicio del mensaje reenviado:" },
    { F, "Inizio messaggio inoltrato:" },
    { F, "Start på videresendt besked:" },
    { F, "下面是被转发的邮件：" },
};

/* What people write themselves. */
static const char *const prose[] = {
    "On Monday he wrote:",
    "On Monday he wrote: come at ten.",
    "On 3 March 2025 the committee wrote:",
    "On 3 March 2025 the committee wrote: we agree.",
    "On 3 March 2025 at 10:00 he wrote:",
    "On 3 March 2025 at 10:00 we met, and Bob explained what the others wrote:",
    "On 3 March 2025 at 10:00 I told Bob <bob@example.com> what they wrote:",
    "On the other hand, Bob wrote:",
    "On page 2025 at 10:00 of the book that I lent you last summer in Rome Bob wrote:",
    "On Mon, 3 Mar 2025 10:00 we leave",
    "Bob wrote:",
    "Bob Example wrote:",
    "He wrote:",
    "She wrote to bob@example.com:",
    "As Bob <bob@example.com> wrote:",
    "Like Bob <bob@example.com> wrote:",
    "I asked Bob <bob@example.com> and he wrote:",
    "I wrote to Bob <bob@example.com>:",
    "Please ask Bob <bob@example.com>:",
    "Please write to Bob <bob@example.com>.",
    "The meeting on 3 March 2025 at 10:00 with Bob <bob@example.com>:",
    "Meeting on 3 March 2025 at 10:00, Bob <bob@example.com>:",
    "Notes of 2025-03-03 10:00:",
    "2025-03-03 10:00:",
    "10:00:",
    "Agenda for Monday, March 3, 2025, 10:00:",
    "The following people wrote:",
    "What the customer wrote:",
    "This is what they wrote on 3/3/2025 at 10:00:",
    "In her letter of 3 March 2025 she wrote:",
    "Somebody who I have met at the fair in Rome wrote on 3/3/2025 at 10:00:",
    "wrote:",
    "Quoting the manual:",
    "Quoting Bob:",
    "Quoting what Bob and the other people from the office have told us <bob@example.com>:",
    "Am Montag schrieb ich dir:",
    "Am Montag schrieb er:",
    "Am 3. März 2025 schrieb ich dir:",
    "Am 3. März 2025 um 10:00 schrieb ich dir:",
    "Am 03.03.2025 um 10:00 schrieb er:",
    "Am 3. März 2025 schrieb der Vorstand:",
    "Am 3. März 2025 um 10:00 schrieb Bob einen Brief, in dem er alles noch einmal erklärt:",
    "Am Montag um 10:00 Uhr treffen wir uns.",
    "Wie Bob <bob@example.com> schrieb:",
    "Goethe schrieb einmal:",
    "Er schrieb am 3. März:",
    "Ich schrieb am 03.03.2025 um 10:00:",
    "Le lundi 3 mars 2025 il a écrit :",
    "Le lundi il a écrit :",
    "Le 3 mars 2025 à 10:00 il a écrit :",
    "Victor Hugo a écrit :",
    "Le rapport du 3 mars 2025 :",
    "El lunes escribió:",
    "El 3 de marzo de 2025 escribió mi madre una carta larga a sus hermanas en la que decía:",
    "El informe del lunes que Bob escribió:",
    "Cervantes escribió:",
    "Il 3 marzo 2025 ha scritto:",
    "Dante ha scritto:",
    "Lunedì Bob ha scritto:",
    "Em 2025 ele escreveu:",
    "Op maandag schreef hij:",
    "Op 3 maart 2025 om 10:00 schreef ik:",
    "Den 3 mars 2025 skrev jag:",
    "Den 3. marts 2025 kl. 10.00 skrev jeg:",
    "I måndags skrev han:",
    "W dniu wczorajszym Bob napisał:",
    "Dne 3. března jsem napsal:",
    "Пушкин писал:",
    "Вчера он написал:",
    "Как писал Пушкин:",
    "Dün Bob yazdı:",
    "昨日ボブさんは書きました：",
    "他昨天写道：",
    "鲁迅写道：",
    "어제 밥이 작성:",
    "كتب بوب أمس:",
    "אתמול בוב כתב:",
    "From: Paris\nTo: London\nDate: 3 May 2026\nSeats: 2",
    "From: Paris\nDate: 3 May 2026",
    "From: 10:00\nTo: 12:00\nSubject: lunch",
    "To: everybody\nSubject: lunch",
    "Date: 3 March 2025\nPlace: Rome\nTopic: plans",
    "Von: Bahnhof\nAn: 10:00\nDatum: 3. März 2025",
    "De: Madrid\nPara: Roma\nFecha: 3 de mayo",
    "From: Bob <bob@example.com>\nPlease answer him.",
    "From: Bob\n\nSent: 3 March 2025\n\nSubject: Plans",
    "From now on: no meetings.",
    "Subject: a thing that we must talk about",
    "Sent: yesterday",
    "-----",
    "-- ",
    "-- \nBob Example",
    "---------- ",
    "--- Agenda ---",
    "----- 8< -----",
    "===== Original =====  plans",
    "-----BEGIN PGP SIGNATURE-----",
    "- Original Message",
    "Original Message",
    "The original message is below.",
    "_______________________________________________\nplans mailing list",
    "Forwarded message",
    "Please see the forwarded message:",
    "Begin forwarded message",
    "I forward you this:",
    ">>> print(10)",
    ">>> see there >>>",
    "> quoted",
    "http://example.com/a?b=c:",
    "Dear Bob,",
    "Dear Bob:",
    "Hi Bob <bob@example.com>:",
    "Yes:",
    ":",
    "Time: 10:00 Date: 3/3/2025 Name: Bob <bob@example.com>",
    "The rules are as follows, and they were valid on 3 March 2025 at 10:00 when Alice and Bob\nwrote:",
    "I agree with everything in it.\nOn Monday Bob wrote:",
};

static size_t split(const char *text, struct convert_attribution_line lines[CONVERT_ATTRIBUTION_LINES_MAX])
{
    size_t count = 0;
    for (const char *at = text; *at && count < CONVERT_ATTRIBUTION_LINES_MAX;) {
        size_t len = strcspn(at, "\n");
        lines[count++] = (struct convert_attribution_line){ at, len };
        at += len + (at[len] == '\n');
    }
    return count;
}

static void test_attributions(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof attributions / sizeof attributions[0]; i++) {
        struct convert_attribution_line lines[CONVERT_ATTRIBUTION_LINES_MAX];
        size_t count = split(attributions[i].text, lines);
        enum convert_attribution kind;
        size_t n = convert_attribution_match(lines, count, &kind);
        bool whole = attributions[i].kind == F ? n > 0 : n == count;
        if (kind != attributions[i].kind || !whole) {
            print_error("kind %d, %zu of %zu lines: %s\n", (int)kind, n, count, attributions[i].text);
            failed++;
        }
        enum convert_attribution of = convert_attribution_of(attributions[i].text, strlen(attributions[i].text));
        if (of != attributions[i].kind) {
            print_error("as a paragraph %d: %s\n", (int)of, attributions[i].text);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void test_prose(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof prose / sizeof prose[0]; i++) {
        struct convert_attribution_line lines[CONVERT_ATTRIBUTION_LINES_MAX];
        size_t count = split(prose[i], lines);
        enum convert_attribution kind;
        size_t n = convert_attribution_match(lines, count, &kind);
        if (n > 0 || kind != CONVERT_ATTRIBUTION_NONE) {
            print_error("kind %d, %zu of %zu lines: %s\n", (int)kind, n, count, prose[i]);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributions),
        cmocka_unit_test(test_prose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
